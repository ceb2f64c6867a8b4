# Regular expressions, sorting, children, an alarm and handlers of signals.
use strict; use warnings; use POSIX ":sys_wait_h";
my ($x, %h, $usr) = (1);
for (1 .. 200000) { $x = ($x * 1103515245 + 12345) % 2147483648; $h{$x % 5003} .= chr(97 + $x % 26); }
my $hits = grep { /a(.)b|z+y/ } values %h;
print scalar(keys %h), " $hits ", join(",", (sort { $h{$a} cmp $h{$b} || $a <=> $b } keys %h)[0 .. 4]), "\n";
$SIG{USR1} = sub { $usr++ };
for (1 .. 20) { kill USR1 => $$ }
$SIG{PROF} = sub { print "prof\n" };
kill PROF => $$;
my @status;
for my $i (1 .. 8) {
  my $pid = fork // die;
  if (!$pid) { my $n = 0; $n += $_ for 1 .. 100000; exit $i }
  waitpid($pid, 0); push @status, $? >> 8;
}
print "$usr @status ", `echo shell; exit 3`, $? >> 8, "\n";
my $done = eval { local $SIG{ALRM} = sub { die "alarm\n" }; alarm 1; 1 while 1; };
print $@;
my $left = sleep 0; select(undef, undef, undef, 0.2); print $! + 0, "\n";
