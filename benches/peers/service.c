// A service for supervisors that are measured: says when its first instruction ran, and either stays or
// ends by itself after a while, saying when its last ran. With nothing between it and who starts it.
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static unsigned long long now(void) {
    struct timespec time;
    clock_gettime(CLOCK_BOOTTIME, &time);
    return time.tv_sec * 1000000000ULL + time.tv_nsec;
}

static void say(const char *word, unsigned long long when) {
    char line[64];
    int length = snprintf(line, sizeof line, "%s %llu\n", word, when);
    int file = open("/run/stamps", O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (file < 0 || write(file, line, length) != length)
        _exit(2);
    close(file);
}

// Told to, or where this file is, it stays; s6 tells a service its name.
int main(int count, char **words) {
    unsigned long long first = now();
    say("first", first);
    if ((count > 1 && strcmp(words[1], "stay") == 0) || access("/run/stay", F_OK) == 0)
        for (;;)
            pause();
    struct timespec life = {.tv_sec = 1, .tv_nsec = 500000000};
    nanosleep(&life, NULL);
    // What is written afterwards is its supervisor's to wait for: the least that can be.
    say("last", now());
    return 1;
}
