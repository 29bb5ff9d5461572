/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "plan.h"

#include <gio/gio.h>
#include <string.h>

/* What -readconfig vm.cfg finds. */
static const char *file_text;

static char *read_file(const char *path, GError **error)
{
    if (g_str_equal(path, "vm.cfg"))
        return g_strdup(file_text);
    g_set_error_literal(error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND, "no such file");
    return NULL;
}

static int take_fd(gpointer next)
{
    return (*(int *)next)++;
}

/* @line: without the program. @options: of the proxy */
static Plan *try_plan(const char *line, const char *options, guint monitors, GError **error)
{
    g_autofree char *whole = g_strconcat("qemu ", line, NULL);
    g_auto(GStrv) qemu = NULL;
    g_auto(GStrv) proxy = g_strsplit(options, " ", -1);
    int next = 100;
    const PlanRequest request = {
        .qemu = NULL,
        .options = (const char *const *)proxy,
        .listening = strstr(options, "listen") != NULL,
        .monitors = monitors,
        .directory = "/d",
        .proxyd = "qga-proxyd",
        .read_file = read_file,
        .take_fd = take_fd,
        .data = &next,
    };
    PlanRequest complete = request;

    g_assert_true(g_shell_parse_argv(whole, NULL, &qemu, NULL));
    complete.qemu = (const char *const *)qemu;
    return plan_new(&complete, error);
}

/* @qemu, @proxy: the command lines that are wanted, without their programs; what leads to the
 * first monitor and to the agent stands in front of @proxy always */
static void check_with(const char *line, const char *options, guint monitors, const char *qemu,
                       const char *proxy)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Plan) plan = try_plan(line, options, monitors, &error);
    g_autofree char *got_qemu = NULL;
    g_autofree char *got_proxy = NULL;

    g_assert_no_error(error);
    got_qemu = g_strjoinv(" ", plan->qemu + 1);
    g_assert_cmpstr(got_qemu, ==, qemu);
    g_assert_cmpint(plan->through, ==, proxy == NULL);
    if (!proxy)
        return;
    got_proxy = g_strjoinv(" ", plan->proxy + 1);
    g_assert_cmpstr(got_proxy, ==, proxy);
}

static void check(const char *line, const char *qemu, const char *proxy)
{
    check_with(line, "", 0, qemu, proxy);
}

#define PORT  "-device virtio-serial -device virtserialport,chardev=qga0,name=org.qemu.guest_agent.0"
#define ISA   "-device isa-serial,chardev=qga0"
#define AGENT "-chardev socket,id=qga0,fd=100,server=on,wait=off"
#define QMP(fd, wait)                                                      \
    "-chardev socket,id=qga-proxy-monitor0,fd=" fd ",server=on,wait=" wait \
    " -mon chardev=qga-proxy-monitor0,mode=control"
#define WAYS "--qmp unix:/d/monitor0 --agent unix:/d/agent --state-dir /d --keep --fd-store"

/* The line that was planned for QEMU. */
static void test_historical(void)
{
    check("-m 64 -chardev qga_proxy,id=qga0 " PORT " -qmp tcp:localhost:4444,server -S",
          "-m 64 " AGENT " " PORT ",id=qga-proxy-port " QMP("101", "on") " -S",
          WAYS " --listen tcp:localhost:4444,server=on,wait=on");
}

/* Ways of writing the same. */
static void test_forms(void)
{
    static const struct {
        const char *qmp;
        const char *wait;
        const char *listen;
    } cases[] = {
        {"-qmp tcp:localhost:4444,server,nowait", "off", "tcp:localhost:4444,server=on,wait=off"},
        {"--qmp tcp::4444,server=on,wait=off,nodelay", "off", "tcp::4444,server=on,wait=off"},
        {"-qmp 'unix:/a,,b,server=on'", "on", "unix:/a,,b,server=on,wait=on"},
        {"-qmp-pretty unix:/a,server=yes,wait=no", "off", "unix:/a,server=on,wait=off,pretty=on"},
        {"-qmp tcp:h:1,reconnect=3", "off", "tcp:h:1,server=off,reconnect=3"},
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *line =
            g_strconcat("-chardev qga_proxy,id=qga0 " ISA " ", cases[i].qmp, NULL);
        g_autofree char *qemu =
            g_strconcat(AGENT " " ISA " -chardev socket,id=qga-proxy-monitor0,fd=101,server=on,"
                              "wait=",
                        cases[i].wait, " -mon chardev=qga-proxy-monitor0,mode=control", NULL);
        g_autofree char *proxy = g_strconcat(WAYS " --listen ", cases[i].listen, NULL);

        check(line, qemu, proxy);
    }
}

static void test_mon(void)
{
    static const struct {
        const char *chardev;
        const char *wait;
        const char *listen;
    } cases[] = {
        {"socket,id=m,path=/a,server=on,wait=off", "off", "unix:/a,server=on,wait=off"},
        {"socket,path=a,abstract=on,server,id=m", "on", "unix:@a,server=on,wait=on"},
        {"socket,id=m,host=::1,port=4444,server=on", "on", "tcp:[::1]:4444,server=on,wait=on"},
        {"socket,id=m,port=4444,server=on,telnet=off", "on", "tcp::4444,server=on,wait=on"},
        {"socket,id=m,fd=7,server=on,wait=off", "off", "fd:7,server=on,wait=off"},
        {"socket,id=m,fd=7", "off", "fd:7,server=off"},
        {"socket,id=m,host=h,port=1,reconnect-ms=1500", "off", "tcp:h:1,server=off,reconnect=2"},
        {"{\"backend\": \"socket\", \"id\": \"m\", \"path\": \"/a\", \"server\": true}", "on",
         "unix:/a,server=on,wait=on"},
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *line = g_strconcat("-chardev qga_proxy,id=qga0 " ISA " -chardev '",
                                            cases[i].chardev, "' -mon m,id=x,mode=control", NULL);
        g_autofree char *qemu =
            g_strconcat(AGENT " " ISA " -chardev socket,id=m,fd=101,server=on,wait=", cases[i].wait,
                        " -mon m,id=x,mode=control", NULL);
        g_autofree char *proxy = g_strconcat(WAYS " --listen ", cases[i].listen, NULL);

        check(line, qemu, proxy);
    }
    check("-chardev qga_proxy,id=qga0 " ISA " -chardev socket,id=m,path=/a,server=on,wait=off"
          " -mon chardev=m,mode=control,pretty=on",
          AGENT " " ISA " -chardev socket,id=m,fd=101,server=on,wait=off"
                " -mon m,mode=control",
          WAYS " --listen unix:/a,server=on,wait=off,pretty=on");
}

/* As libvirt writes it: descriptors that listen already, and the port in JSON. */
static void test_libvirt(void)
{
    g_autoptr(GError) error = NULL;
    static const char line[] =
        "-name guest=vm,debug-threads=on -S"
        " -chardev socket,id=charmonitor,fd=27,server=on,wait=off"
        " -mon chardev=charmonitor,id=monitor,mode=control"
        " -chardev socket,id=charchannel0,fd=29,server=on,wait=off"
        " -device '{\"driver\":\"virtserialport\",\"chardev\":\"charchannel0\","
        "\"id\":\"channel0\",\"name\":\"org.qemu.guest_agent.0\"}'";
    g_autoptr(Plan) plan = try_plan(line, "", 0, &error);

    check(line,
          "-name guest=vm,debug-threads=on -S"
          " -chardev socket,id=charmonitor,fd=101,server=on,wait=off"
          " -mon chardev=charmonitor,id=monitor,mode=control"
          " -chardev socket,id=charchannel0,fd=100,server=on,wait=off"
          " -device {\"driver\":\"virtserialport\",\"chardev\":\"charchannel0\","
          "\"id\":\"channel0\",\"name\":\"org.qemu.guest_agent.0\"}",
          WAYS " --agent-listen fd:29,server=on,wait=off --listen fd:27,server=on,wait=off"
               " --name vm");
    g_assert_cmpuint(plan->taken->len, ==, 2);
    g_assert_cmpint(g_array_index(plan->taken, int, 0), ==, 29);
    g_assert_cmpint(g_array_index(plan->taken, int, 1), ==, 27);
}

/* A channel each for whichever devices the guest has drivers for, in their order. A socket on a
 * port of the agent's name is left as it is beside them. */
static void test_channels(void)
{
#define LAST_PORT "-device virtserialport,chardev=b,name=org.qemu.guest_agent.0"

    check("-chardev qga_proxy,id=qga0 " ISA " -chardev qga_proxy,id=b " LAST_PORT
          " -qmp unix:/a,server,nowait",
          AGENT " " ISA " -chardev socket,id=b,fd=101,server=on,wait=off " LAST_PORT
                ",id=qga-proxy-port1 " QMP("102", "off"),
          "--qmp unix:/d/monitor0 --agent unix:/d/agent --agent unix:/d/agent1 --state-dir /d "
          "--keep --fd-store --listen unix:/a,server=on,wait=off");
    check("-chardev qga_proxy,id=qga0 " ISA " -chardev socket,id=b,path=/b,server=on " LAST_PORT
          " -qmp unix:/a,server,nowait",
          AGENT " " ISA " -chardev socket,id=b,path=/b,server=on " LAST_PORT " " QMP("101", "off"),
          WAYS " --listen unix:/a,server=on,wait=off");
}

/* Nothing of ours is in it: QEMU gets it byte for byte. */
static void test_through(void)
{
    static const char *const lines[] = {
        "-S -no-user-config -nodefaults -nographic -machine none,accel=kvm:tcg"
        " -qmp unix:/a,server=on,wait=off -pidfile /p -daemonize",
        "-append -chardev=qga_proxy disk.img -qmp tcp:h:1,server",
        "-chardev socket,id=c,path=/a,server=on -device virtserialport,chardev=c,name=other",
        "-append -chardev -qmp nonsense",
        "",
    };

    for (guint i = 0; i < G_N_ELEMENTS(lines); i++)
        check(lines[i], lines[i], NULL);
}

static void test_monitors(void)
{
    /* Two that were asked for. */
    check("-chardev qga_proxy,id=qga0 " ISA " -qmp unix:/a,server,nowait -qmp unix:/b,server",
          AGENT " " ISA " " QMP("101", "off") " -chardev socket,id=qga-proxy-monitor1,fd=102,"
                                              "server=on,wait=on"
                                              " -mon chardev=qga-proxy-monitor1,mode=control",
          "--qmp unix:/d/monitor0 --qmp unix:/d/monitor1 --agent unix:/d/agent --state-dir /d "
          "--keep --fd-store"
          " --listen unix:/a,server=on,wait=off --listen unix:/b,server=on,wait=on");
    /* None, but the proxy has an address of its own. */
    check_with("-chardev qga_proxy,id=qga0 " ISA " -qmp stdio", "--listen unix:/a", 0,
               AGENT " " ISA " -qmp stdio " QMP("101", "off"), WAYS " --listen unix:/a");
    check_with("-chardev qga_proxy,id=qga0 " ISA " -qmp unix:/a,server,nowait", "--freeze-join", 2,
               AGENT " " ISA " " QMP("101", "off") " -chardev socket,id=qga-proxy-monitor1,fd=102,"
                                                   "server=on,wait=off"
                                                   " -mon chardev=qga-proxy-monitor1,mode=control",
               "--qmp unix:/d/monitor0 --qmp unix:/d/monitor1 --agent unix:/d/agent --state-dir /d "
               "--keep --fd-store"
               " --listen unix:/a,server=on,wait=off --freeze-join");
    /* QEMU was to wait for a client of the agent: it waits for its monitor, which we hold back. */
    check("-chardev socket,id=qga0,path=/g,server=on " PORT " -qmp unix:/a,server,nowait",
          AGENT " " PORT ",id=qga-proxy-port " QMP("101", "on"),
          WAYS " --agent-listen unix:/g,server=on,wait=on --listen unix:/a,server=on,wait=off");
}

static void test_config(void)
{
    static const char rest[] = "[chardev \"m\"]\nbackend = \"socket\"\npath = \"/a\"\n"
                               "server = \"on\"\n[mon]\nchardev = \"m\"\nmode = \"control\"\n";
    g_autofree char *text = g_strconcat("[device \"p\"]\ndriver=\"virtserialport\"\n"
                                        "chardev=\"qga0\"\n[chardev \"qga0\"]\n"
                                        "backend = \"qga_proxy\"\n",
                                        rest, NULL);
    g_autoptr(GError) error = NULL;
    g_autoptr(Plan) plan = NULL;
    const PlanDescriptor *file;

    file_text = text;
    check("-readconfig vm.cfg -S", "-readconfig /dev/fd/102 -S",
          WAYS " --listen unix:/a,server=on,wait=on");
    plan = try_plan("-readconfig vm.cfg", "", 0, &error);
    file = plan->descriptors->pdata[2];
    g_assert_cmpstr(file->text, ==,
                    "[device \"p\"]\n  driver = \"virtserialport\"\n  chardev = \"qga0\"\n"
                    "[chardev \"qga0\"]\n  backend = \"socket\"\n  fd = \"100\"\n"
                    "  server = \"on\"\n  wait = \"off\"\n"
                    "[chardev \"m\"]\n  backend = \"socket\"\n  fd = \"101\"\n"
                    "  server = \"on\"\n  wait = \"on\"\n"
                    "[mon]\n  chardev = \"m\"\n  mode = \"control\"\n");
    /* A file without anything of ours stays the one that it is. */
    file_text = "[machine]\ntype = \"pc\"\n";
    check("-readconfig vm.cfg -chardev qga_proxy,id=qga0 " ISA " -qmp unix:/a,server",
          "-readconfig vm.cfg " AGENT " " ISA " " QMP("101", "on"),
          WAYS " --listen unix:/a,server=on,wait=on");
}

/* Each is one line that names the option. */
static void test_mistakes(void)
{
    static const struct {
        const char *line;
        const char *message;
    } cases[] = {
        {"-chardev qga_proxy,id=a -qmp unix:/a,server",
         "-chardev qga_proxy,id=a: no -device has chardev=a"},
        {"-chardev qga_proxy -qmp unix:/a,server", "-chardev qga_proxy: there is no id"},
        {"-chardev qga_proxy,id=qga0,path=/x " ISA " -qmp unix:/a,server",
         "-chardev qga_proxy,id=qga0,path=/x: a qga_proxy has no 'path'"},
        {"-chardev qga_proxy,id=qga0 " ISA,
         "-chardev qga_proxy,id=qga0: there is no -qmp or -mon that could be asked"},
        {"-chardev qga_proxy,id=qga0 " ISA " -qmp tcp:h:1,wait=off",
         "-qmp tcp:h:1,wait=off: 'wait' is for a server, and this connects"},
        {"-chardev qga_proxy,id=qga0 " ISA " -qmp tcp:h:1,server,reconnect=1",
         "-qmp tcp:h:1,server,reconnect=1: 'reconnect' is for what connects, and this is a server"},
        {"-chardev qga_proxy,id=qga0 " ISA " -qmp unix:/a,server=maybe",
         "-qmp unix:/a,server=maybe: 'server' is on or off, not 'maybe'"},
        {"-chardev qga_proxy,id=qga0 " ISA " -chardev socket,id=m,server=on -mon m,mode=control",
         "-chardev socket,id=m,server=on: there is no path, port or descriptor"},
        {"-chardev qga_proxy,id=qga0 " ISA " -chardev qga_proxy,id=b -qmp unix:/a,server",
         "-chardev qga_proxy,id=b: no -device has chardev=b"},
        {"-readconfig none.cfg", "-readconfig none.cfg: no such file"},
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;

        g_assert_null(try_plan(cases[i].line, "", 0, &error));
        g_assert_cmpstr(error->message, ==, cases[i].message);
    }
}

/* What the proxy does not do is left to QEMU, and that is told. */
static void test_left(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Plan) plan =
        try_plan("-chardev qga_proxy,id=qga0 " ISA " -qmp unix:/a,server -chardev "
                 "socket,id=t,port=1,server=on,tls-creds=x -mon t,mode=control",
                 "", 0, &error);

    g_assert_no_error(error);
    g_assert_cmpstr(plan->qemu[10], ==, "socket,id=t,port=1,server=on,tls-creds=x");
    g_assert_cmpuint(plan->remarks->len, ==, 1);
    g_assert_cmpstr(plan->remarks->pdata[0], ==,
                    "-chardev socket,id=t,port=1,server=on,tls-creds=x: left to QEMU: the proxy "
                    "does not know 'tls-creds'");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/plan/historical", test_historical);
    g_test_add_func("/plan/forms", test_forms);
    g_test_add_func("/plan/mon", test_mon);
    g_test_add_func("/plan/libvirt", test_libvirt);
    g_test_add_func("/plan/channels", test_channels);
    g_test_add_func("/plan/through", test_through);
    g_test_add_func("/plan/monitors", test_monitors);
    g_test_add_func("/plan/config", test_config);
    g_test_add_func("/plan/mistakes", test_mistakes);
    g_test_add_func("/plan/left", test_left);
    return g_test_run();
}
