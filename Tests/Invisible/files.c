// files WHAT [ARGUMENT]: descriptors, folders and rights of a program, while it uses CPU time. Prints what it sees of them.
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "variety.h"
#include "work.h"

static atomic_bool stop;

// The numbers that the next three files get.
static void numbers(const char *when) {
  int fd[3];
  for (int i = 0; i < 3; i++) fd[i] = open("/dev/null", O_RDONLY | O_CLOEXEC);
  printf("%s: %d %d %d\n", when, fd[0], fd[1], fd[2]);
  for (int i = 0; i < 3; i++) close(fd[i]);
}

// Work, then all descriptors closed, then work; new ones have the numbers that they would have.
static int closes(const char *how) {
  numbers("at first");
  work(0.1);
  numbers("after work");
  for (int round = 0; round < 3; round++) {
    if (strcmp(how, "closefrom") == 0) closefrom(3);
    else if (strcmp(how, "close_range") == 0) close_range(3, ~0u, 0);
    else for (int i = 3; i < 1024; i++) close(i);
    numbers("closed");
    int own = open("own", O_RDWR | O_CREAT | O_APPEND, 0600);
    for (int i = 0; i < 10; i++) {
      vary(0.02);
      if (write(own, "line\n", 5) != 5) perror("write");
    }
    struct stat s;
    fstat(own, &s);
    printf("own file: %d, %ld bytes\n", own, (long)s.st_size);
    close(own);
  }
  return 0;
}

// Runs with some of 0, 1 and 2 closed; files of its own get their numbers. What it saw goes into a file at the end.
static int standard(void) {
  char names[3][8] = {"zero", "one", "two"};
  int fd[3], open_before[3];
  for (int i = 0; i < 3; i++) open_before[i] = fcntl(i, F_GETFD) >= 0;
  vary(0.1);
  for (int i = 0; i < 3; i++) fd[i] = open(names[i], O_RDWR | O_CREAT | O_TRUNC, 0600);
  vary(0.3);
  FILE *result = fopen("result", "w");
  for (int i = 0; i < 3; i++) {
    struct stat s;
    fstat(fd[i], &s);
    fprintf(result, "%d open before: %d; %s is %d, %ld bytes\n", i, open_before[i], names[i], fd[i], (long)s.st_size);
  }
  fclose(result);
  return 0;
}

// A thread that uses much of a trace.
static void *ticker(void *unused) {
  while (!stop) vary(0.05);
  return unused;
}

static uint64_t counts[64], strange;

// Opens and closes; the numbers must be its own.
static void *opener(void *unused) {
  while (!stop) {
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (fd >= 0 && fd < 64) counts[fd]++;
    close(fd);
  }
  return unused;
}

// Takes numbers by dup2 that are free, and gives them back; its file must stay its file and as long as it is.
static void *taker(void *unused) {
  struct stat own, s;
  int fd = open("own", O_RDWR | O_CREAT | O_TRUNC, 0600);
  if (write(fd, "0123456789", 10) != 10) strange++;
  fstat(fd, &own);
  while (!stop) {
    for (int i = 3; i < 12; i++) {
      if (i == fd) continue;
      if (dup2(fd, i) != i) strange++;
      sched_yield();
      if (fstat(i, &s) != 0 || s.st_ino != own.st_ino || s.st_dev != own.st_dev || s.st_size != 10) strange++;
      if (close(i) != 0) strange++;
    }
  }
  return unused;
}

// Closes everything and opens again.
static void *closer(void *unused) {
  struct stat s;
  while (!stop) {
    close_range(3, ~0u, 0);
    int fd = open("own", O_RDWR | O_CREAT, 0600);
    if (fd != 3) strange++;
    for (int i = 0; i < 20; i++)
      if (fstat(fd, &s) != 0 || !S_ISREG(s.st_mode) || s.st_size != 0) strange++;
    if (close(fd) != 0) strange++;
  }
  return unused;
}

// Forks; the child has no descriptor that it should not have.
static void *forker(void *unused) {
  while (!stop) {
    pid_t child = fork();
    if (child == 0) {
      int open_count = 0;
      for (int i = 3; i < 64; i++) open_count += fcntl(i, F_GETFD) >= 0;
      _exit(open_count);
    }
    int status;
    waitpid(child, &status, 0);
    if (status != 0) strange++;
  }
  return unused;
}

// One thread uses CPU time, this one does something with descriptors, for a while.
static int beside(const char *what) {
  void *(*work_of)(void *) = strcmp(what, "opener") == 0   ? opener
                             : strcmp(what, "taker") == 0  ? taker
                             : strcmp(what, "closer") == 0 ? closer
                                                           : forker;
  pthread_t threads[3];
  pthread_create(&threads[0], NULL, ticker, NULL);
  pthread_create(&threads[1], NULL, ticker, NULL);
  pthread_create(&threads[2], NULL, work_of, NULL);
  usleep(1500000);
  stop = true;
  for (int i = 0; i < 3; i++) pthread_join(threads[i], NULL);
  for (int i = 0; i < 64; i++)
    if (counts[i]) printf("number %d\n", i);
  printf("strange: %lu\n", (unsigned long)strange);
  return 0;
}

static void list(const char *folder) {
  struct dirent **entries;
  int count = scandir(folder, &entries, NULL, alphasort);
  printf("%s:", folder);
  for (int i = 0; i < count; i++) printf(" %s", entries[i]->d_name);
  printf("\n");
}

// Another root, after the first tick or before it.
static int jail(const char *when) {
  if (strcmp(when, "after") == 0) vary(0.1);
  mkdir("jail", 0755);
  if (chroot("jail") != 0 || chdir("/") != 0) return 1;
  vary(0.3);
  numbers("in jail");
  list("/");
  return 0;
}

// A working folder that is gone, or changes.
static int folder(const char *when) {
  char name[4096];
  if (strcmp(when, "after") == 0) vary(0.1);
  mkdir("gone", 0755);
  if (chdir("gone") != 0 || rmdir("../gone") != 0) return 1;
  vary(0.2);
  printf("cwd: %s\n", getcwd(name, sizeof name) == NULL ? strerror(errno) : name);
  if (chdir("/tmp") != 0) return 1;
  vary(0.1);
  printf("cwd: %s\n", getcwd(name, sizeof name));
  return 0;
}

// Other rights.
static int rights(const char *when) {
  if (strcmp(when, "after") == 0) vary(0.1);
  if (setgid(65534) != 0 || setuid(65534) != 0) return 1;
  vary(0.3);
  printf("%d %d %d\n", (int)getuid(), (int)geteuid(), (int)getgid());
  numbers("nobody");
  return 0;
}

// A strange mask; a file of the program's own has the mode that it asks for.
static int mask(const char *octal) {
  umask((mode_t)strtoul(octal, NULL, 8));
  vary(0.4);
  struct stat s;
  close(open("masked", O_WRONLY | O_CREAT, 0777));
  stat("masked", &s);
  printf("mode %o, mask %o\n", s.st_mode & 07777, umask(0));
  return 0;
}

int main(int argc, char **argv) {
  if (argc < 2) return 64;
  const char *what = argv[1], *argument = argc > 2 ? argv[2] : "";
  if (strcmp(what, "closes") == 0) return closes(argument);
  if (strcmp(what, "standard") == 0) return standard();
  if (strcmp(what, "beside") == 0) return beside(argument);
  if (strcmp(what, "jail") == 0) return jail(argument);
  if (strcmp(what, "folder") == 0) return folder(argument);
  if (strcmp(what, "rights") == 0) return rights(argument);
  if (strcmp(what, "mask") == 0) return mask(argument);
  if (strcmp(what, "work") == 0) { // what others do to its trace meanwhile is no business of its
    vary(atof(argument));
    numbers("done");
    return 5;
  }
  return 64;
}
