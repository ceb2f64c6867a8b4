// What the library shows to the dynamic linker: the C API, and the C library's functions that it stands in for.
#ifndef SP_INTERPOSE_H
#define SP_INTERPOSE_H

#define SP_EXPORT __attribute__((visibility("default")))

#endif
