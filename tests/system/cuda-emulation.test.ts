import { describe, expect, it } from 'vitest'
import { scratchFolder } from '../support/cli.js'
import { compileEmulation, launchEmulated, missingEmulation, writePtx } from '../support/emulated-kernel.js'
import { skipsWithout } from '../support/requirements.js'

// The emulation of CUDA (native/cuda/emulation) on small kernels written in PTX.

const scratch = scratchFolder()
const file = scratch('kernel.ptx')

/** Runs instructions on registers that hold these values, and returns the values of the results' registers. */
function evaluate(instructions: readonly Instruction[]): readonly (number | bigint)[] {
  const slot = 16 // bytes of the buffer for each value
  const types = instructions.flatMap(({ inputs, result }) => [...inputs, result])
  const buffer = new DataView(new ArrayBuffer(slot * types.length))
  const lines = ['ld.param.u64 %d9, [test_param_0];']
  let at = 0
  const results: number[] = []
  for (const { text, inputs, result } of instructions) {
    for (const [index, [type, value]] of inputs.entries()) {
      write(buffer, at, type, value)
      lines.push(`ld.${type} ${register(type, index)}, [%d9+${at}];`)
      at += slot
    }
    lines.push(text)
    lines.push(`st.${result[0]} [%d9+${at}], ${register(result[0], 8)};`)
    results.push(at)
    at += slot
  }
  writePtx(file, lines.join('\n'))
  const after = new DataView(launchEmulated({ file }, new Uint8Array(buffer.buffer)).buffer)
  return instructions.map(({ result: [type] }, index) => read(after, results[index]!, type))
}

type Typed = readonly [type: string, value: number | bigint]

interface Instruction {
  readonly text: string
  readonly inputs: readonly Typed[]
  readonly result: Typed
}

/** "fma.rn.f32" of f32 1, f32 2, f32 3 gives f32 5. Inputs are in the registers 0 to 2 of their types, the result in 8. */
function instruction(opcode: string, inputs: readonly Typed[], result: Typed): Instruction {
  const operands = [register(result[0], 8), ...inputs.map(([type], index) => register(type, index))]
  return { text: `${opcode} ${operands.join(', ')};`, inputs, result }
}

function register(type: string, index: number): string {
  const letter = { f32: 'f', f64: 'g' }[type] ?? { '8': 'h', '16': 'h', '32': 'r', '64': 'd' }[type.slice(1)]
  return `%${letter}${index}`
}

function write(view: DataView, at: number, type: string, value: number | bigint): void {
  if (type === 'f32') view.setFloat32(at, Number(value), true)
  else if (type === 'f64') view.setFloat64(at, Number(value), true)
  else view.setBigUint64(at, BigInt.asUintN(Number(type.slice(1)), BigInt(value)), true)
}

function read(view: DataView, at: number, type: string): number | bigint {
  if (type === 'f32') return view.getFloat32(at, true)
  if (type === 'f64') return view.getFloat64(at, true)
  const bits = Number(type.slice(1))
  const value = BigInt.asUintN(bits, view.getBigUint64(at, true))
  return type[0] === 's' ? BigInt.asIntN(bits, value) : value
}

const f32 = (value: number): Typed => ['f32', value]
const f64 = (value: number): Typed => ['f64', value]
const u32 = (value: number): Typed => ['u32', BigInt(value)]
const s32 = (value: number): Typed => ['s32', BigInt(value)]
const u64 = (value: bigint): Typed => ['u64', value]
const s64 = (value: bigint): Typed => ['s64', value]
const u16 = (value: number): Typed => ['u16', BigInt(value)]

const skipped = skipsWithout(missingEmulation())

describe.skipIf(skipped)('emulated PTX', () => {
  it('computes each instruction as the PTX manual defines it', () => {
    const third = Math.fround(1 / 3)
    const instructions = [
      instruction('add.rn.f32', [f32(1), f32(2 ** -24)], f32(1)),
      instruction('mul.rn.f32', [f32(third), f32(3)], f32(1)),
      instruction('fma.rn.f32', [f32(third), f32(3), f32(-1)], f32(2 ** -25)),
      instruction('fma.rn.f64', [f64(1 / 3), f64(3), f64(-1)], f64(-(2 ** -54))),
      instruction('div.rn.f32', [f32(2), f32(3)], f32(Math.fround(2 / 3))),
      instruction('rcp.rn.f64', [f64(3)], f64(1 / 3)),
      instruction('sqrt.rn.f32', [f32(2)], f32(Math.fround(Math.SQRT2))),
      instruction('min.f32', [f32(Number.NaN), f32(3)], f32(3)),
      instruction('max.f64', [f64(-0), f64(0)], f64(0)),
      instruction('min.f64', [f64(0), f64(-0)], f64(-0)),
      instruction('neg.f32', [f32(0)], f32(-0)),
      instruction('add.s32', [s32(2 ** 31 - 1), s32(1)], s32(-(2 ** 31))),
      instruction('mul.lo.u32', [u32(0x10001), u32(0x10001)], u32(0x20001)),
      instruction('mul.hi.u32', [u32(0xffffffff), u32(0xffffffff)], u32(0xfffffffe)),
      instruction('mul.hi.s32', [s32(-1), s32(5)], s32(-1)),
      instruction('mul.wide.u32', [u32(0xffffffff), u32(0xffffffff)], u64(0xfffffffe00000001n)),
      instruction('mul.wide.s32', [s32(-3), s32(5)], s64(-15n)),
      instruction('mad.lo.s32', [s32(-3), s32(5), s32(7)], s32(-8)),
      instruction('mad.wide.u16', [u16(65535), u16(65535), u32(1)], u32(65535 ** 2 + 1)),
      instruction('div.s32', [s32(-7), s32(2)], s32(-3)),
      instruction('rem.s32', [s32(-7), s32(2)], s32(-1)),
      instruction('shl.b32', [u32(1), u32(32)], u32(0)),
      instruction('shr.s32', [s32(-8), u32(40)], s32(-1)),
      instruction('shr.u64', [u64(1n << 63n), u32(63)], u64(1n)),
      instruction('shf.l.wrap.b32', [u32(0x80000000), u32(1), u32(33)], u32(3)),
      instruction('clz.b64', [u64(1n)], u32(63)),
      instruction('brev.b32', [u32(1)], u32(0x80000000)),
      instruction('abs.s32', [s32(-5)], s32(5)),
      instruction('not.b16', [u16(1)], u16(65534)),
      instruction('cvt.rzi.s32.f32', [f32(-2.9)], s32(-2)),
      instruction('cvt.rni.s32.f32', [f32(2.5)], s32(2)),
      instruction('cvt.rmi.s32.f64', [f64(-2.1)], s32(-3)),
      instruction('cvt.rzi.u32.f32', [f32(-1)], u32(0)),
      instruction('cvt.rzi.s32.f32', [f32(1e20)], s32(2 ** 31 - 1)),
      instruction('cvt.rzi.s64.f64', [f64(Number.NaN)], s64(0n)),
      instruction('cvt.rn.f32.u32', [u32(2 ** 24 + 1)], f32(2 ** 24)),
      instruction('cvt.rn.f32.f64', [f64(1 / 3)], f32(third)),
      instruction('cvt.s64.s32', [s32(-5)], s64(-5n)),
      instruction('cvt.u64.u32', [u32(0xffffffff)], u64(0xffffffffn)),
      instruction('cvt.s32.s8', [u16(0xff)], s32(-1)),
      instruction('cvt.u16.u32', [u32(0x12345)], u16(0x2345)),
      instruction('mov.b32', [f32(1)], u32(0x3f800000)),
    ]
    const results = evaluate(instructions)
    const named = (values: readonly (number | bigint)[]) =>
      values.map((value, index) => `${instructions[index]!.text} ${Object.is(value, -0) ? '-0' : value}`)
    expect(named(results)).toEqual(named(instructions.map(({ result }) => result[1])))
  })

  it('compares numbers with NaN', () => {
    const expected = { lt: 0, ltu: 1, eq: 0, equ: 1, ne: 0, neu: 1, ge: 0, geu: 1, num: 0, nan: 1 }
    const comparisons = Object.keys(expected).map((comparison) => ({
      text: `setp.${comparison}.f32 %p0, %f0, %f1;\nselp.u32 %r8, 1, 0, %p0;`,
      inputs: [f32(1), f32(Number.NaN)],
      result: u32(0),
    }))
    expect(evaluate(comparisons).map(Number)).toEqual(Object.values(expected))
  })

  it('runs branches, predicates, vectors, local memory and halves of a register', () => {
    writePtx(
      file,
      `.local .align 16 .b8 kept[16];
      ld.param.u64 %d0, [test_param_0];
      ld.global.v2.u32 {%r0, %r1}, [%d0];
      mov.u64 %d1, kept;
      cvta.local.u64 %d2, %d1;
      mov.u32 %r2, 0;
      $again:
      add.s32 %r2, %r2, %r0;
      add.s32 %r1, %r1, -1;
      setp.ne.s32 %p0, %r1, 0;
      @%p0 bra $again;
      st.local.u32 [%d1+4], %r2;
      ld.u32 %r3, [%d2+4];
      mov.b64 %d3, {%r3, %r0};
      @!%p0 mov.b64 {%r4, _}, %d3;
      $list: .branchtargets $first, $second;
      brx.idx %r1, $list;
      $second: bra $second;
      $first:
      st.global.v2.u32 [%d0], {%r4, %r2};`,
    )
    expect([
      ...new Uint32Array(launchEmulated({ file }, new Uint8Array(new Uint32Array([7, 6]).buffer)).buffer),
    ]).toEqual([42, 42])
  })

  it.each(['ascending', 'descending'] as const)(
    'orders blocks and warps by barriers and counters (%s)',
    (order) => {
      writePtx(
        file,
        `.shared .align 4 .b8 values[256];
      ld.param.u64 %d0, [test_param_0];
      mov.u32 %r0, %tid.x;
      mov.u32 %r1, %ctaid.x;
      mad.lo.s32 %r2, %r1, 64, %r0;
      mov.u32 %r3, values;
      shl.b32 %r4, %r0, 2;
      add.s32 %r3, %r3, %r4;
      st.shared.u32 [%r3], %r2;
      barrier.sync 0;
      xor.b32 %r4, %r4, 252;
      mov.u32 %r3, values;
      add.s32 %r3, %r3, %r4;
      ld.shared.u32 %r5, [%r3];
      mul.wide.u32 %d1, %r2, 4;
      add.s64 %d1, %d0, %d1;
      st.global.u32 [%d1+128], %r5;
      barrier.sync 1, 64;
      setp.ne.u32 %p1, %r0, 0;
      @%p1 bra $joined;
      red.release.gpu.global.add.u32 [%d0], 1;
      $wait:
      ld.acquire.gpu.global.u32 %r6, [%d0];
      setp.lt.u32 %p1, %r6, 3;
      @%p1 bra $wait;
      $joined:
      barrier.sync 1, 64;
      mad.lo.s32 %r2, %r1, 64, 64;
      rem.u32 %r2, %r2, 192;
      add.s32 %r2, %r2, %r0;
      mul.wide.u32 %d2, %r2, 4;
      add.s64 %d2, %d0, %d2;
      ld.global.u32 %r7, [%d2+128];
      st.global.u32 [%d1+896], %r7;`,
      )
      const before = new Uint8Array(128 + 2 * 768)
      const after = new Uint32Array(launchEmulated({ file, blocks: 3, threads: 64, order }, before).buffer)
      const mirrored = (block: number) => Array.from({ length: 64 }, (_, t) => 64 * block + 63 - t)
      expect(after[0]).toBe(3)
      expect([...after.slice(32 + 192)]).toEqual([...mirrored(1), ...mirrored(2), ...mirrored(0)])
    },
  )
})

describe.skipIf(skipped)('an emulated launch', () => {
  const launch = (body: string, options: object = {}) => {
    writePtx(file, body)
    return launchEmulated({ file, threads: 64, blocks: 2, ...options }, new Uint8Array(64))
  }

  it('reports a deadlock with the places where threads wait', () => {
    const body = 'mov.u32 %r0, %tid.x;\nsetp.eq.u32 %p0, %r0, 5;\n@%p0 ret;\nbarrier.sync 0;'
    expect(() => launch(body)).toThrow(
      'deadlock: block 0: 63 of 64 threads at barrier 0; block 1: 63 of 64 threads at barrier 0',
    )
  })

  it('reports a counter that never reaches its value', () => {
    const loop = '$wait: ld.acquire.gpu.global.u32 %r0, [%d0];\nsetp.eq.u32 %p0, %r0, 0;\n@%p0 bra $wait;'
    expect(() => launch(`ld.param.u64 %d0, [test_param_0];\n${loop}`, { threads: 1 })).toThrow(
      'deadlock: block 0: thread 0 at a counter; block 1: thread 0 at a counter',
    )
  })

  it.each([
    ['ld.shared.f32 %f0, [%r0+128];', 'out of bounds shared access of 4 bytes at 128'],
    ['ld.shared.f32 %f0, [%r0+-4];', 'out of bounds shared access of 4 bytes at 4294967292'],
    ['ld.shared.v4.f32 {%f0, %f1, %f2, %f3}, [%r0+8];', 'misaligned shared access of 16 bytes at 8'],
    ['ld.param.u64 %d0, [test_param_0];\nld.global.f64 %g0, [%d0+4];', 'misaligned access of 8 bytes'],
  ])('reports %s', (access, problem) => {
    expect(() => launch(`mov.u32 %r0, 0;\n${access}`, { sharedBytes: 128 })).toThrow(problem)
  })

  it('reports a trap of inline assembly', () => {
    expect(() => launch('// begin inline asm\ntrap;\n// end inline asm')).toThrow(
      /trap in line \d+ of the PTX/,
    )
  })

  it('reports threads that disagree about a barrier', () => {
    const body = 'mov.u32 %r0, %tid.x;\nand.b32 %r0, %r0, 32;\nsub.s32 %r0, 64, %r0;\nbarrier.sync 1, %r0;'
    expect(() => launch(body)).toThrow('barrier 1 of block 0 is for 64 threads, thread 32 expects 32')
  })
})

describe.skipIf(skipped)('the translator', () => {
  it.each([
    ['add.f32 %f0, %f1, %f2;', 'line 14 of the PTX: the translator refuses add.f32'],
    ['ex2.approx.f32 %f0, %f1;', 'the translator refuses ex2.approx.f32'],
    ['mul.rn.ftz.f32 %f0, %f1, %f2;', 'the translator refuses mul.rn.ftz.f32'],
    ['call.uni vprintf;', 'the translator refuses call.uni'],
    ['trap;', 'line 14 of the PTX: the compiler wrote a trap: the kernel is undefined here'],
    ['add.s32 %r0, %r1, %x2;', 'line 14 of the PTX: unknown operand: %x2'],
    ['add.s32 %r0, %r1;', 'add.s32 with 2 operands'],
  ])('refuses %s', (text, problem) => {
    writePtx(file, text)
    expect(() => compileEmulation('ptx', file)).toThrow(problem)
  })
})
