/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Theory of operation.
 *
 * Everything that the embedder is told stands in one queue, in the order in which it happened, and
 * is taken from it one by one, each with nothing below it on the stack but the main loop. A handler
 * that runs the main loop itself is told the rest meanwhile.
 *
 * The border outlives the proxy where that goes while the core is on the stack.
 */

#include "qga-proxy-private.h"

/* ---- Hooks ----------------------------------------------------------------------------------- */

Hook *hook_new(GCallback func, gpointer user_data, GDestroyNotify destroy)
{
    Hook *hook;

    if (!func)
        return NULL;
    hook = g_rc_box_new(Hook);
    *hook = (Hook){func, user_data, destroy};
    return hook;
}

Hook *hook_ref(Hook *hook)
{
    return g_rc_box_acquire(hook);
}

static void hook_clear(gpointer data)
{
    const Hook *hook = data;

    if (hook->destroy)
        hook->destroy(hook->user_data);
}

void hook_unref(Hook *hook)
{
    g_rc_box_release_full(hook, hook_clear);
}

/* ---- Tellings -------------------------------------------------------------------------------- */

typedef struct {
    TellFunc tell;
    gpointer data;
    GDestroyNotify destroy;
} Telling;

static void telling_free(gpointer data)
{
    Telling *telling = data;

    if (telling->destroy)
        telling->destroy(telling->data);
    g_free(telling);
}

static void detach(GSource **source)
{
    if (*source)
        g_source_destroy(*source);
    g_clear_pointer(source, g_source_unref);
}

/* Whoever is told may drop the last reference, and with it the border. */
static gboolean on_teller(gpointer data)
{
    Border *border = data;
    Telling *telling = g_queue_pop_head(&border->tellings);
    gboolean goes_on = border->tellings.length > 0;
    QgaProxy *proxy = g_object_ref(border->proxy);

    if (!goes_on)
        detach(&border->teller); /* at once: a handler may run the main loop itself */
    telling->tell(proxy, telling->data);
    telling_free(telling);
    g_object_unref(proxy);
    return goes_on;
}

static GSource *attach(Border *border, GSourceFunc func, const char *name)
{
    GSource *source = g_idle_source_new();

    g_source_set_static_name(source, name);
    g_source_set_priority(source, G_PRIORITY_DEFAULT);
    g_source_set_callback(source, func, border, NULL);
    g_source_set_can_recurse(source, TRUE);
    g_source_attach(source, border->context);
    return source;
}

void border_tell(Border *border, TellFunc tell, gpointer data, GDestroyNotify destroy)
{
    Telling *telling = g_new(Telling, 1);

    *telling = (Telling){tell, data, destroy};
    if (!border->proxy) {
        telling_free(telling);
        return;
    }
    g_queue_push_tail(&border->tellings, telling);
    if (!border->teller)
        border->teller = attach(border, on_teller, "qga-proxy tells");
}

/* ---- How it stands --------------------------------------------------------------------------- */

typedef struct {
    const char *agent_state; /* (nullable) */
    gboolean qemu_connected;
} Standing;

static void tell_standing(QgaProxy *proxy, gpointer data)
{
    const Standing *standing = data;
    Border *border = proxy->border;
    gboolean other_agent = g_strcmp0(standing->agent_state, border->agent_state) != 0;
    gboolean other_qemu = standing->qemu_connected != border->qemu_connected;

    border->agent_state = standing->agent_state;
    border->qemu_connected = standing->qemu_connected;
    if (other_qemu)
        g_object_notify(G_OBJECT(proxy), "qemu-connected");
    if (other_agent)
        g_object_notify(G_OBJECT(proxy), "agent-state");
}

static void stand(Border *border, const char *agent_state, gboolean qemu_connected)
{
    Standing *standing = g_new(Standing, 1);

    *standing = (Standing){agent_state, qemu_connected};
    border_tell(border, tell_standing, standing, g_free);
}

static void on_changed(gpointer owner)
{
    Border *border = owner;

    if (border->core)
        stand(border, core_agent_state(border->core), core_is_connected(border->core));
}

/* ---- Events ---------------------------------------------------------------------------------- */

typedef struct {
    char *name;
    char *data; /* (nullable) */
    gint64 real_us;
} Event;

static void event_free(gpointer data)
{
    Event *event = data;

    g_free(event->name);
    g_free(event->data);
    g_free(event);
}

/* Names come from elsewhere, and quarks stay for good; one that a handler asks for is there. */
static void tell_event(QgaProxy *proxy, gpointer data)
{
    const Event *event = data;

    g_signal_emit_by_name(proxy, "event", event->name, event->data, event->real_us);
}

static void tell_named_event(QgaProxy *proxy, gpointer data)
{
    const Event *event = data;

    g_signal_emit(proxy, g_signal_lookup("event", QGA_TYPE_PROXY), g_quark_try_string(event->name),
                  event->name, event->data, event->real_us);
}

static void on_event(gpointer owner, const char *name, JsonSpan data, gint64 real_us)
{
    Border *border = owner;
    GQuark detail = g_quark_try_string(name);
    Event *event;

    if (!border->proxy ||
        !g_signal_has_handler_pending(border->proxy, g_signal_lookup("event", QGA_TYPE_PROXY),
                                      detail, FALSE))
        return;
    event = g_new(Event, 1);
    *event = (Event){g_strdup(name), data.text ? g_strndup(data.text, data.len) : NULL, real_us};
    border_tell(border, detail ? tell_named_event : tell_event, event, event_free);
}

/* ---- The end --------------------------------------------------------------------------------- */

static void border_free(Border *border)
{
    detach(&border->teller);
    detach(&border->burial);
    g_queue_clear_full(&border->tellings, telling_free);
    g_clear_pointer(&border->keep, hook_unref);
    g_clear_pointer(&border->gate, hook_unref);
    g_clear_pointer(&border->audit, hook_unref);
    g_ptr_array_unref(border->services);
    g_main_context_unref(border->context);
    g_free(border);
}

static gboolean on_burial(gpointer data)
{
    Border *border = data;

    g_clear_pointer(&border->burial, g_source_unref);
    if (border->inside >
        0) /* a handler that runs the main loop itself; border_leave() sees to it */
        return G_SOURCE_REMOVE;
    border_stop(border);
    if (!border->proxy)
        border_free(border);
    return G_SOURCE_REMOVE;
}

void border_enter(Border *border)
{
    border->inside++;
}

void border_leave(Border *border)
{
    if (--border->inside > 0 || border->burial || (border->proxy && !border->ending))
        return;
    border->burial = attach(border, on_burial, "qga-proxy ends");
}

/* Functions that are given back what belongs to them may call in here again, and drop the proxy. */
void border_stop(Border *border)
{
    Core *core = border->core;

    if (!core)
        return;
    if (border->inside > 0) {
        border->ending = TRUE;
        return;
    }
    border->core = NULL;
    border->ending = FALSE;
    border->closing = FALSE;
    border_enter(border);
    g_ptr_array_set_size(border->services, 0);
    stand(border, core_agent_state(core) ? "offline" : NULL, FALSE);
    core_free(core);
    border->inside--;
}

void border_orphan(Border *border)
{
    border->proxy = NULL;
    detach(&border->teller);
    if (border->inside > 0)
        return;
    if (!border_is_here(border, "g_object_unref")) {
        border->burial = attach(border, on_burial, "qga-proxy ends");
        return;
    }
    border_stop(border);
    border_free(border);
}

static void tell_closed(QgaProxy *proxy, gpointer unused)
{
    Border *border = proxy->border;

    if (!border->closing || border->ending)
        return;
    border_stop(border);
    g_signal_emit_by_name(proxy, "closed");
}

static void on_closed(gpointer owner, const char *why)
{
    Border *border = owner;

    border->closing = TRUE;
    border_tell(border, tell_closed, NULL, NULL);
}

/* ---- The rest -------------------------------------------------------------------------------- */

/* Whoever can acquire it may use it: it is run here, or nowhere at this moment. */
gboolean border_is_here(const Border *border, const char *function)
{
    if (g_main_context_acquire(border->context)) {
        g_main_context_release(border->context);
        return TRUE;
    }
    g_critical("%s: called in another thread than the one that runs the proxy's GMainContext",
               function);
    return FALSE;
}

gboolean border_has_stopped(const Border *border, GError **error)
{
    if (border->core && !border->ending)
        return FALSE;
    g_set_error(error, QGA_PROXY_ERROR, QGA_PROXY_ERROR_STATE, "The proxy has stopped");
    return TRUE;
}

void border_pass_on(GError *cause, QgaProxyError code, GError **error)
{
    g_set_error_literal(error, QGA_PROXY_ERROR, (gint)code, cause->message);
    g_error_free(cause);
}

Address *border_parse(const char *text, gboolean server, GError **error)
{
    const AddressDefaults defaults = {.server = server, .wait = FALSE};
    GError *cause = NULL;
    Address *address = address_parse(text, &defaults, &cause);

    if (cause)
        border_pass_on(cause, QGA_PROXY_ERROR_ADDRESS, error);
    return address;
}

const CoreOps border_core_ops = {on_closed, on_event, on_changed, border_admit, border_answered};

Border *border_new(QgaProxy *proxy)
{
    Border *border = g_new(Border, 1);

    *border = (Border){.proxy = proxy, .tellings = G_QUEUE_INIT};
    border->context = g_main_context_ref_thread_default();
    border->services = g_ptr_array_new();
    return border;
}
