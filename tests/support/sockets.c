/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "sockets.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

typedef struct {
    union {
        struct sockaddr any;
        struct sockaddr_un local;
        struct sockaddr_in inet;
        struct sockaddr_in6 inet6;
    };
    socklen_t len;
} Name;

static Name unix_name(const char *path)
{
    Name name = {.local.sun_family = AF_UNIX};
    gsize len = strlen(path);

    g_assert_cmpuint(len, <, sizeof name.local.sun_path);
    memcpy(name.local.sun_path, path, len);
    if (path[0] == '@')
        name.local.sun_path[0] = '\0';
    name.len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + (path[0] != '@'));
    return name;
}

static Name tcp_name(const char *host, guint16 port)
{
    Name name = {0};

    if (inet_pton(AF_INET, host, &name.inet.sin_addr) == 1) {
        name.inet.sin_family = AF_INET;
        name.inet.sin_port = htons(port);
        name.len = sizeof name.inet;
        return name;
    }
    g_assert_cmpint(inet_pton(AF_INET6, host, &name.inet6.sin6_addr), ==, 1);
    name.inet6.sin6_family = AF_INET6;
    name.inet6.sin6_port = htons(port);
    name.len = sizeof name.inet6;
    return name;
}

static int open_socket(const Name *name)
{
    int fd = socket(name->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    g_assert_cmpint(fd, >=, 0);
    return fd;
}

static int bind_to(const Name *name)
{
    static const int on = 1;
    int fd = open_socket(name);

    if (name->any.sa_family == AF_INET6)
        g_assert_no_errno(setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on));
    g_assert_no_errno(bind(fd, &name->any, name->len));
    return fd;
}

static int listen_on(const Name *name, int backlog)
{
    int fd = bind_to(name);

    g_assert_no_errno(listen(fd, backlog));
    return fd;
}

static int connect_to(const Name *name)
{
    int fd = open_socket(name);

    g_assert_no_errno(connect(fd, &name->any, name->len));
    return fd;
}

int sockets_listen_unix(const char *path, int backlog)
{
    Name name = unix_name(path);

    return listen_on(&name, backlog);
}

int sockets_readable(const char *text)
{
    int fds[2];

    g_assert_no_errno(pipe2(fds, O_CLOEXEC));
    g_assert_cmpint(write(fds[1], text, strlen(text)), ==, (gssize)strlen(text));
    close(fds[1]);
    return fds[0];
}

char *sockets_read_all(int fd)
{
    g_autoptr(GString) all = g_string_new(NULL);
    char piece[256];
    gssize got;

    while ((got = read(fd, piece, sizeof piece)) > 0)
        g_string_append_len(all, piece, got);
    g_assert_cmpint(got, ==, 0);
    close(fd);
    return g_string_free(g_steal_pointer(&all), FALSE);
}

int sockets_connect_unix(const char *path)
{
    Name name = unix_name(path);

    return connect_to(&name);
}

int sockets_listen_tcp(const char *host, guint16 port, int backlog)
{
    Name name = tcp_name(host, port);

    return listen_on(&name, backlog);
}

int sockets_bind_tcp(const char *host, guint16 port)
{
    Name name = tcp_name(host, port);

    return bind_to(&name);
}

int sockets_connect_tcp(const char *host, guint16 port)
{
    Name name = tcp_name(host, port);

    return connect_to(&name);
}

guint16 sockets_port(int fd)
{
    Name name = {.len = sizeof(struct sockaddr_un)};

    g_assert_no_errno(getsockname(fd, &name.any, &name.len));
    return ntohs(name.any.sa_family == AF_INET6 ? name.inet6.sin6_port : name.inet.sin_port);
}

gboolean sockets_have(const char *host)
{
    Name name = tcp_name(host, 0);
    int fd = socket(name.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    gboolean have = fd >= 0 && bind(fd, &name.any, name.len) == 0;

    if (fd >= 0)
        close(fd);
    return have;
}

guint sockets_open_descriptors(void)
{
    guint n = 0;

    for (int fd = 0; fd < 1024; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

/* A lower limit than that would also forbid poll(2) on what is open. */
static rlim_t lowest_unused(void)
{
    rlim_t fd = 0;

    while (fcntl((int)fd, F_GETFD) >= 0)
        fd++;
    return fd;
}

void sockets_forbid_descriptors(gboolean forbid)
{
    static rlim_t before;
    struct rlimit limit;

    g_assert_no_errno(getrlimit(RLIMIT_NOFILE, &limit));
    if (forbid)
        before = limit.rlim_cur;
    limit.rlim_cur = forbid ? lowest_unused() : before;
    g_assert_no_errno(setrlimit(RLIMIT_NOFILE, &limit));
}
