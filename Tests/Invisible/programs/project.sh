# A C project of 24 files, built twice by make -j2, the second time after one of them changed.
set -e
for i in $(seq 24); do
  printf '#include <stdio.h>\n#include <string.h>\nint f%d(int n) { char t[64]; int s = 0; for (int i = 0; i < n; i++) { sprintf(t, "%%d", i * %d); s += strlen(t); } return s; }\n' $i $i >f$i.c
done
{
  seq -f 'int f%g(int);' 24
  printf '#include <stdio.h>\nint main(void) {\n'
  seq -f 'printf("%%d\\n", f%g(1000));' 24
  echo 'return 0; }'
} >main.c
cat >Makefile <<'M'
objects = main.o $(patsubst %,f%.o,$(shell seq 24))
app: $(objects)
	$(CC) -o $@ $^
%.o: %.c
	@$(CC) -O2 -c -o $@ $<
M
make -j2 2>&1
./app
touch f3.c -d '2100-01-01'
make -j2 2>&1 | grep -v 'in the future\|Clock skew\|Makefile'
make -q app >/dev/null 2>&1 || echo "not up to date: $?"
cat $(ls ./*.o) | sha256sum
