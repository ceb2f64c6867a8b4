# Symbols of every kind at addresses that the test computes from the symbol table.
  .text
  .globl _start
  .type _start, @function
_start:
  nop
  call sized
  mov $60, %eax
  xor %edi, %edi
  syscall
  .size _start, . - _start

# In no symbol: after _start has ended. No label here.
  .fill 16, 1, 0x90

# Without a size: each reaches to the next.
  .globl bare_function
  .type bare_function, @function
bare_function:
  .fill 16, 1, 0x90
bare_label:
  .fill 16, 1, 0x90

# Three names for one place: the global one shows, not the weak or the local one.
  .type local_name, @function
  .weak weak_name
  .type weak_name, @function
  .globl sized
  .type sized, @function
local_name:
weak_name:
sized:
  .fill 8, 1, 0x90
# A label inside of a sized function does not name the code after it.
inner_label:
  .fill 7, 1, 0x90
  ret
  .size local_name, . - local_name
  .size weak_name, . - weak_name
  .size sized, . - sized

# Underscores give way, then the alphabet decides.
  .globl __plain_b
  .globl plain_c
  .globl plain_b
  .type __plain_b, @function
  .type plain_c, @function
  .type plain_b, @function
__plain_b:
plain_c:
plain_b:
  .fill 16, 1, 0x90
  .size __plain_b, . - __plain_b
  .size plain_c, . - plain_c
  .size plain_b, . - plain_b

  .data
data_label:
  .quad 0
