/* Runs a program again and again, and says what it takes on this computer: the time that nine of ten runs are
 * longer than, and the processors' time of a run with all that it waited for, on the average. Microseconds.
 *
 * usage: often TIMES PROGRAM [ARGUMENT...] */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static long now(void)
{
	struct timespec it;
	clock_gettime(CLOCK_MONOTONIC, &it);
	return it.tv_sec * 1000000 + it.tv_nsec / 1000;
}

static int rising(const void *one, const void *other)
{
	return *(const long *)one < *(const long *)other ? -1 : 1;
}

int main(int argc, char **argv)
{
	int times = argc > 2 ? atoi(argv[1]) : 0, done = 0;
	long *took = calloc(times + 1, sizeof *took), processor = 0;
	for (int i = 0; i < times && took; i++) {
		struct rusage used;
		int status = 0;
		long begin = now();
		pid_t pid = fork();
		if (pid == 0) {
			dup2(open("/dev/null", O_WRONLY), 1);
			execvp(argv[2], argv + 2);
			_exit(127);
		}
		wait4(pid, &status, 0, &used);
		if (status != 0)
			return 1;
		took[done++] = now() - begin;
		processor += (used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1000000 + used.ru_utime.tv_usec + used.ru_stime.tv_usec;
	}
	if (done == 0)
		return 125;
	qsort(took, done, sizeof *took, rising);
	printf("p10 %ld cpu %ld\n", took[done / 10], processor / done);
	return 0;
}
