/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Many proxies in one process, by the one header: what they share, that nothing stays behind one
 * that is dropped at any moment, and that two threads with a context each do not meet.
 */

#include "qga-proxy.h"

#include <pthread.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support/peer.h"
#include "support/sockets.h"

enum {
    MANY = 1000,
    FEW = 30,
    ROUNDS = 40,
    DESCRIPTORS_EACH = 6, /* two ends of each connection, what listens, and one to spare */
};

/* One proxy, and whoever is around it. */
typedef struct {
    GMainContext *context;
    QgaProxy *proxy; /* (nullable): NULL once dropped */
    Peer qemu;
    Peer agent;
    Peer client;
    int given[2]; /* to the proxy, which takes them over when it is started */
    char *name;   /* of an abstract socket */
} Vm;

static void settle(GMainContext *context)
{
    while (g_main_context_iteration(context, FALSE))
        ;
}

/* ---- Counting -------------------------------------------------------------------------------- */

static guint open_epolls(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GDir) folder = g_dir_open("/proc/self/fd", 0, &error);
    const char *name;
    guint count = 0;

    g_assert_no_error(error);
    while ((name = g_dir_read_name(folder))) {
        g_autofree char *link = g_build_filename("/proc/self/fd", name, NULL);
        g_autofree char *target = g_file_read_link(link, NULL);

        count += g_strcmp0(target, "anon_inode:[eventpoll]") == 0;
    }
    return count;
}

/* Sources that are attached; their ids are given in order, so that a new one tells how far to look.
 */
static guint attached_sources(GMainContext *context)
{
    g_autoptr(GSource) last = g_idle_source_new();
    guint end = g_source_attach(last, context);
    guint count = 0;

    for (guint id = 1; id < end; id++)
        count += g_main_context_find_source_by_id(context, id) != NULL;
    g_source_destroy(last);
    return count;
}

/* ---- One of them ----------------------------------------------------------------------------- */

static void vm_init(Vm *vm, GMainContext *context, guint number)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *monitor = NULL;
    g_autofree char *agent = NULL;
    g_autofree char *listener = NULL;

    *vm = (Vm){.context = context, .client = {.fd = -1}};
    vm->given[0] = peer_init_pair(&vm->qemu, SOCK_STREAM);
    vm->given[1] = peer_init_pair(&vm->agent, SOCK_STREAM);
    monitor = g_strdup_printf("fd:%d", vm->given[0]);
    agent = g_strdup_printf("fd:%d", vm->given[1]);
    vm->name = g_strdup_printf("@qga-many-%d-%p-%u", getpid(), (void *)context, number);
    vm->proxy = qga_proxy_new(monitor, agent, &error);
    g_assert_no_error(error);
    listener = g_strconcat("unix:", vm->name, NULL);
    g_assert_true(qga_proxy_add_listener(vm->proxy, listener, &error));
    g_assert_no_error(error);
}

static void vm_start(Vm *vm)
{
    qga_proxy_start(vm->proxy);
    vm->given[0] = vm->given[1] = -1;
}

/* Drops the last reference, if that has not been done, and everybody else with it. */
static void vm_clear(Vm *vm)
{
    if (vm->proxy)
        g_assert_finalize_object(vm->proxy);
    for (guint i = 0; i < G_N_ELEMENTS(vm->given); i++) {
        if (vm->given[i] >= 0)
            close(vm->given[i]);
    }
    peer_clear(&vm->qemu);
    peer_clear(&vm->agent);
    if (vm->client.got)
        peer_clear(&vm->client);
    g_free(vm->name);
}

static void vm_connect(Vm *vm)
{
    peer_init(&vm->client, sockets_connect_unix(vm->name));
}

static void vm_greet(Vm *vm)
{
    peer_send(&vm->qemu, "{\"QMP\": {\"version\": {\"qemu\": {}}, \"capabilities\": []}}\r\n");
}

/* By the id that it came with, the last of its members. */
static void vm_answer_handshake(Vm *vm)
{
    g_autofree char *handshake = peer_take(&vm->qemu);
    g_autofree char *answer = NULL;
    const char *id = strstr(handshake, "\"id\":");

    g_assert_nonnull(id);
    answer = g_strdup_printf("{\"return\": {}, %s\r\n", id);
    peer_send(&vm->qemu, answer);
}

static gboolean vm_is_connected(Vm *vm)
{
    g_autofree char *status = qga_proxy_dup_status(vm->proxy);

    return strstr(status, "\"connected\": true") != NULL;
}

/* ---- A crowd of them ------------------------------------------------------------------------- */

static Vm *crowd_new(GMainContext *context, guint count)
{
    Vm *vms = g_new(Vm, count);

    for (guint i = 0; i < count; i++)
        vm_init(&vms[i], context, i);
    return vms;
}

static void crowd_start(Vm *vms, guint count)
{
    for (guint i = 0; i < count; i++)
        vm_start(&vms[i]);
    settle(vms->context);
    for (guint i = 0; i < count; i++)
        vm_greet(&vms[i]);
    settle(vms->context);
    for (guint i = 0; i < count; i++)
        vm_answer_handshake(&vms[i]);
    settle(vms->context);
    for (guint i = 0; i < count; i++)
        vm_connect(&vms[i]);
    settle(vms->context);
}

static void crowd_free(Vm *vms, guint count)
{
    for (guint i = 0; i < count; i++)
        vm_clear(&vms[i]);
    g_free(vms);
}

/* Each client is answered by its own QEMU, over its own proxy. */
static void check_served(Vm *vms, guint count)
{
    for (guint i = 0; i < count; i++) {
        g_autofree char *text = peer_take(&vms[i].qemu); /* what the proxy asks by itself */
        g_autofree char *command =
            g_strdup_printf("{\"execute\":\"qmp_capabilities\"}{\"execute\":\"mark-%u\"}", i);

        g_assert_true(vm_is_connected(&vms[i]));
        peer_send(&vms[i].client, command);
    }
    settle(vms->context);
    for (guint i = 0; i < count; i++) {
        g_autofree char *seen = peer_take(&vms[i].qemu);
        g_autofree char *wanted = g_strdup_printf("{\"execute\":\"mark-%u\"}", i);

        g_assert_cmpstr(seen, ==, wanted);
    }
}

/* ---- What they share ------------------------------------------------------------------------- */

static gboolean raise_limit(guint wanted)
{
    struct rlimit limit;

    g_assert_no_errno(getrlimit(RLIMIT_NOFILE, &limit));
    if (limit.rlim_max < wanted)
        return FALSE;
    limit.rlim_cur = MAX(limit.rlim_cur, wanted);
    g_assert_no_errno(setrlimit(RLIMIT_NOFILE, &limit));
    return TRUE;
}

static void test_share(void)
{
    GMainContext *context = g_main_context_new();
    guint descriptors = sockets_open_descriptors();
    guint epolls = open_epolls();
    Vm *vms;

    if (!raise_limit(MANY * DESCRIPTORS_EACH + 100)) {
        g_test_skip("this process may not open enough descriptors");
        g_main_context_unref(context);
        return;
    }
    g_main_context_push_thread_default(context);
    vms = crowd_new(context, MANY);
    crowd_start(vms, MANY);
    check_served(vms, MANY);
    g_assert_cmpuint(open_epolls(), ==, epolls + 1);
    g_assert_cmpuint(attached_sources(context), ==, 1);
    crowd_free(vms, MANY);
    settle(context);
    g_assert_cmpuint(attached_sources(context), ==, 0);
    g_assert_cmpuint(sockets_open_descriptors(), ==, descriptors);
    g_main_context_pop_thread_default(context);
    g_main_context_unref(context);
}

/* ---- Dropped at any moment ------------------------------------------------------------------- */

/* How far a proxy gets before it is dropped. */
typedef enum {
    NEW,
    STARTED,
    GREETED,
    READY,
    NEGOTIATED,
    BUSY,
    ORPHANED,
    CLOSING,
    CLOSED,
    N_STAGES,
} Stage;

static void drop_in_handler(QgaProxy *proxy, Vm *vm)
{
    g_object_unref(g_steal_pointer(&vm->proxy));
}

static void reach(Vm *vm, Stage stage)
{
    g_autofree char *unread = g_strnfill(1000, '[');

    if (stage >= STARTED)
        vm_start(vm);
    settle(vm->context);
    if (stage >= GREETED)
        vm_greet(vm);
    settle(vm->context);
    vm_connect(vm);
    if (stage >= READY)
        vm_answer_handshake(vm);
    settle(vm->context);
    if (stage >= NEGOTIATED)
        peer_send(&vm->client, "{\"execute\":\"qmp_capabilities\"}{\"execute\": \"query-");
    settle(vm->context);
    if (stage >= BUSY)
        peer_send(&vm->client, "name\"}{\"execute\":\"guest-ping\"}{\"execute\":\"guest-info\"}");
    settle(vm->context);
    peer_offer(&vm->client, unread, strlen(unread));
    if (stage >= ORPHANED)
        peer_close(&vm->client);
    if (stage == CLOSED)
        g_signal_connect(vm->proxy, "closed", G_CALLBACK(drop_in_handler), vm);
    if (stage >= CLOSING)
        peer_close(&vm->qemu);
    if (stage >= CLOSED)
        settle(vm->context);
    else
        g_main_context_iteration(vm->context, FALSE);
}

/* Others go on beside those that come and go. */
static void churn(GMainContext *context, guint rounds)
{
    Vm *stay = crowd_new(context, FEW);
    guint sources;
    guint epolls;

    crowd_start(stay, FEW);
    sources = attached_sources(context);
    epolls = open_epolls();
    for (guint round = 0; round < rounds; round++) {
        for (Stage stage = NEW; stage < N_STAGES; stage++) {
            Vm vm;

            vm_init(&vm, context, FEW + stage);
            reach(&vm, stage);
            g_assert_true((stage == CLOSED) == (vm.proxy == NULL));
            if (round % 2 && vm.proxy)
                qga_proxy_stop(vm.proxy);
            vm_clear(&vm);
        }
        settle(context);
        g_assert_cmpuint(attached_sources(context), ==, sources);
    }
    g_assert_cmpuint(open_epolls(), ==, epolls);
    check_served(stay, FEW);
    crowd_free(stay, FEW);
    settle(context);
    g_assert_cmpuint(attached_sources(context), ==, 0);
}

/* Memory is LeakSanitizer's to look after. */
static void test_churn(void)
{
    GMainContext *context = g_main_context_new();
    guint descriptors = sockets_open_descriptors();

    g_main_context_push_thread_default(context);
    churn(context, ROUNDS);
    g_assert_cmpuint(sockets_open_descriptors(), ==, descriptors);
    g_main_context_pop_thread_default(context);
    g_main_context_unref(context);
}

/* ---- Two threads ----------------------------------------------------------------------------- */

enum { THREADS = 2 };

static gpointer live(gpointer data)
{
    pthread_barrier_t *meeting = data;
    GMainContext *context = g_main_context_new();
    Vm *vms;

    g_main_context_push_thread_default(context);
    vms = crowd_new(context, FEW);
    crowd_start(vms, FEW);
    pthread_barrier_wait(meeting);
    g_assert_cmpuint(open_epolls(), ==, THREADS);
    pthread_barrier_wait(meeting);
    for (guint round = 0; round < ROUNDS; round++) {
        check_served(vms, FEW);
        crowd_free(vms, FEW);
        vms = crowd_new(context, FEW);
        crowd_start(vms, FEW);
    }
    crowd_free(vms, FEW);
    settle(context);
    g_assert_cmpuint(attached_sources(context), ==, 0);
    g_main_context_pop_thread_default(context);
    g_main_context_unref(context);
    return NULL;
}

/* Each thread has a context, and an epoll descriptor, of its own, and knows nothing of the other;
 * whether that is so is ThreadSanitizer's to find out. They wait for each other by what it knows.
 */
static void test_threads(void)
{
    pthread_barrier_t meeting;
    GThread *threads[THREADS];
    guint descriptors = sockets_open_descriptors();

    g_assert_cmpint(pthread_barrier_init(&meeting, NULL, THREADS), ==, 0);
    for (guint i = 0; i < THREADS; i++)
        threads[i] = g_thread_new("embedder", live, &meeting);
    for (guint i = 0; i < THREADS; i++)
        g_thread_join(threads[i]);
    pthread_barrier_destroy(&meeting);
    g_assert_cmpuint(sockets_open_descriptors(), ==, descriptors);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_main_context_default(); /* or its descriptor would be made while others are counted */
    g_test_add_func("/qga-proxy/many/share", test_share);
    g_test_add_func("/qga-proxy/many/churn", test_churn);
    g_test_add_func("/qga-proxy/many/threads", test_threads);
    return g_test_run();
}
