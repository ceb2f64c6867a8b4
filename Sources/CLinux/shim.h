// What the C library's Swift module leaves out.
#include <spawn.h>
#include <sys/xattr.h>

// GNU extensions, which <spawn.h> hides from the importer.
extern int posix_spawn_file_actions_addchdir_np(posix_spawn_file_actions_t *actions, const char *path);
extern int posix_spawn_file_actions_addclosefrom_np(posix_spawn_file_actions_t *actions, int from);

// X/Open's, which <stdlib.h> hides from the importer.
extern int posix_openpt(int flags);
extern int grantpt(int descriptor);
extern int unlockpt(int descriptor);
extern char *ptsname(int descriptor);
