#include <stdlib.h>
// Declared here because the header asks for macros of the C library that the importer does not know.
#include <libiberty/demangle.h>
