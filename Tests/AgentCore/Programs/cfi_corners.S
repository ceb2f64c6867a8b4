// Functions whose call frame information uses what compilers rarely write. Called by single_step.c, which checks every
// instruction of them.
  .text

// Nested remember and restore, args_size, same_value, a register kept in another one.
  .globl corner_nested
  .type corner_nested, @function
corner_nested:
  .cfi_startproc
  push %rbx
  .cfi_def_cfa_offset 16
  .cfi_offset %rbx, -16
  mov %rbx, %rcx
  .cfi_remember_state
  push %r12
  .cfi_def_cfa_offset 24
  .cfi_offset %r12, -24
  .cfi_escape 0x2e, 0x10
  .cfi_remember_state
  sub $40, %rsp
  .cfi_def_cfa_offset 64
  xor %ebx, %ebx
  mov $5, %r12d
1:
  add %r12, %rbx
  dec %r12
  jnz 1b
  add $40, %rsp
  .cfi_restore_state
  pop %r12
  .cfi_restore_state
  .cfi_same_value %r13
  pop %rbx
  .cfi_def_cfa_offset 8
  .cfi_restore %rbx
  ret
  .cfi_endproc
  .size corner_nested, . - corner_nested

// The caller's rbx is in rdx for a while, and the CFA in r11.
  .globl corner_register
  .type corner_register, @function
corner_register:
  .cfi_startproc
  mov %rbx, %rdx
  .cfi_register %rbx, %rdx
  lea 8(%rsp), %r11
  .cfi_def_cfa %r11, 0
  and $-64, %rsp
  sub $64, %rsp
  xor %ebx, %ebx
  mov $3, %ecx
2:
  add $7, %rbx
  loop 2b
  lea -8(%r11), %rsp
  .cfi_def_cfa %rsp, 8
  mov %rdx, %rbx
  .cfi_restore %rbx
  ret
  .cfi_endproc
  .size corner_register, . - corner_register

// The CFA, and where rbx is saved, by expressions; rbp by value; an offset that needs a signed factored form.
  .globl corner_expression
  .type corner_expression, @function
corner_expression:
  .cfi_startproc
  push %rbp
  .cfi_def_cfa_offset 16
  .cfi_offset %rbp, -16
  mov %rsp, %rbp
  .cfi_def_cfa_register %rbp
  push %rbx
  // DW_CFA_expression rbx: (CFA is on the stack) lit24 minus
  .cfi_escape 0x10, 0x03, 0x02, 0x48, 0x1c
  lea 16(%rbp), %rax
  push %rax
  // DW_CFA_def_cfa_expression: breg6(rbp)-16 deref
  .cfi_escape 0x0f, 0x03, 0x76, 0x70, 0x06
  // DW_CFA_offset_extended_sf rbp, 2 (data alignment -8)
  .cfi_escape 0x11, 0x06, 0x02
  mov $4, %ebx
3:
  dec %ebx
  jnz 3b
  // with a branch and stack operations: lit1 bra+2 lit0 lit0 ; breg6 16 dup swap drop lit5 over pick 0 drop drop drop nop
  .cfi_escape 0x0f, 0x13, 0x31, 0x28, 0x02, 0x00, 0x30, 0x30, 0x76, 0x10, 0x12, 0x16, 0x13, 0x35, 0x14, 0x15, 0x00, 0x13, 0x13, 0x13, 0x96
  nop
  nop
  nop
  .cfi_def_cfa %rbp, 16
  mov -8(%rbp), %rbx
  .cfi_restore %rbx
  mov %rbp, %rsp
  pop %rbp
  .cfi_def_cfa %rsp, 8
  .cfi_restore %rbp
  ret
  .cfi_endproc
  .size corner_expression, . - corner_expression

// The CFA is in r14, then in r15, which the function called spoils.
  .globl corner_value
  .type corner_value, @function
corner_value:
  .cfi_startproc
  push %r14
  .cfi_def_cfa_offset 16
  .cfi_offset %r14, -16
  push %r15
  .cfi_def_cfa_offset 24
  .cfi_offset %r15, -24
  lea 24(%rsp), %r14
  lea 24(%rsp), %r15
  .cfi_def_cfa %r14, 0
  call corner_leaf
  .cfi_def_cfa %r15, 0
  call corner_leaf
  .cfi_def_cfa %rsp, 24
  pop %r15
  .cfi_def_cfa_offset 16
  .cfi_restore %r15
  pop %r14
  .cfi_def_cfa_offset 8
  .cfi_restore %r14
  ret
  .cfi_endproc
  .size corner_value, . - corner_value

// The caller's r14 is a distance from the CFA (val_offset), its r15 an expression's value (val_expression): its frame
// is found only if both are followed.
  .type corner_leaf, @function
corner_leaf:
  .cfi_startproc
  // DW_CFA_val_offset r14, -3 (data alignment -8): CFA + 24
  .cfi_escape 0x15, 0x0e, 0x7d
  // DW_CFA_val_expression r15: plus_uconst 24
  .cfi_escape 0x16, 0x0f, 0x02, 0x23, 0x18
  xor %r14d, %r14d
  xor %r15d, %r15d
  nop
  lea 32(%rsp), %r14
  lea 32(%rsp), %r15
  ret
  .cfi_endproc
  .size corner_leaf, . - corner_leaf

  .section .note.GNU-stack, "", @progbits
