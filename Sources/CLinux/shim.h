// What the C library's Swift module leaves out.
#include <spawn.h>
#include <sys/xattr.h>

// GNU extensions, which <spawn.h> hides from the importer.
extern int posix_spawn_file_actions_addchdir_np(posix_spawn_file_actions_t *actions, const char *path);
extern int posix_spawn_file_actions_addclosefrom_np(posix_spawn_file_actions_t *actions, int from);
