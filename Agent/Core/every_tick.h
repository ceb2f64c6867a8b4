// Where the code lies that every tick runs: together, in its own section.
//
// Between two ticks the program takes all of the processor's near caches. What a tick costs is how many lines and pages it has fetched
// anew; the less of them have code of something else between, the fewer they are.
#ifndef SP_EVERY_TICK_H
#define SP_EVERY_TICK_H

#ifndef SP_EVERY_TICK // a test gives each function a section of its own
#define SP_EVERY_TICK __attribute__((section("sp_every_tick")))
#endif

#endif
