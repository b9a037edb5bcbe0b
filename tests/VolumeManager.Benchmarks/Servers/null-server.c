// Answers a constant to every request: the limit of the machine, with nothing between the kernel and the client.
// usage: null-server SOCKET close|keep BODYFILE
//   close: one connection per request; one accepting thread per core
//   keep:  connections stay open; one thread per connection
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static char *answer;
static size_t answer_length;
static int listener;
static int keep;

// Reads one request, head and body. An engine's request is one write, so this is one read.
static int read_request(int fd)
{
    char request[8192];
    size_t length = 0;
    for (;;) {
        ssize_t n = recv(fd, request + length, sizeof request - 1 - length, 0);
        if (n <= 0)
            return -1;
        length += (size_t)n;
        request[length] = 0;
        char *end = strstr(request, "\r\n\r\n");
        if (!end)
            continue;
        char *field = strcasestr(request, "content-length:");
        size_t body = field ? strtoul(field + 15, NULL, 10) : 0;
        if (length >= (size_t)(end + 4 - request) + body)
            return 0;
    }
}

static int send_answer(int fd)
{
    for (size_t sent = 0; sent < answer_length;) {
        ssize_t n = send(fd, answer + sent, answer_length - sent, MSG_NOSIGNAL);
        if (n <= 0)
            return -1;
        sent += (size_t)n;
    }
    return 0;
}

static void *serve_connection(void *argument)
{
    int fd = (int)(long)argument;
    while (read_request(fd) == 0 && send_answer(fd) == 0 && keep)
        ;
    close(fd);
    return NULL;
}

static void *accept_connections(void *argument)
{
    (void)argument;
    for (;;) {
        int fd = accept(listener, NULL, NULL);
        if (fd < 0)
            continue;
        pthread_t thread;
        if (!keep)
            serve_connection((void *)(long)fd);
        else if (pthread_create(&thread, NULL, serve_connection, (void *)(long)fd) == 0)
            pthread_detach(thread);
    }
    return NULL;
}

static void load_answer(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file) {
        perror(path);
        exit(1);
    }
    fseek(file, 0, SEEK_END);
    size_t body = (size_t)ftell(file);
    rewind(file);
    answer = malloc(body + 512);
    int head = sprintf(answer, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\nContent-Type: application/vnd.docker.plugins.v1.2+json\r\n%s\r\n",
                       body, keep ? "" : "Connection: close\r\n");
    if (fread(answer + head, 1, body, file) != body)
        exit(1);
    answer_length = (size_t)head + body;
    fclose(file);
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: %s SOCKET close|keep BODYFILE\n", argv[0]);
        return 2;
    }
    keep = strcmp(argv[2], "keep") == 0;
    load_answer(argv[3]);

    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strncpy(address.sun_path, argv[1], sizeof address.sun_path - 1);
    listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) < 0 || listen(listener, 512) < 0) {
        perror(argv[1]);
        return 1;
    }
    for (long core = 1; core < sysconf(_SC_NPROCESSORS_ONLN); core++) {
        pthread_t thread;
        pthread_create(&thread, NULL, accept_connections, NULL);
    }
    accept_connections(NULL);
}
