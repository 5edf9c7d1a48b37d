// The PTX instructions that the translator accepts, and what each means in C++.
//
// A row is [opcodes, operands, expression]. Braces in the opcodes list alternatives: "add.{s,u}32" stands for add.s32 and
// add.u32. Whatever no row lists is refused. In particular these are:
//   - .approx, .ftz and .full: their results differ between cards, or from what a processor computes
//   - float additions and products without .rn: ptxas may fuse them
//
// The operands are types: the result, "=", and the arguments. The last suffix of the opcode gives
//   t  that type · u, s  the unsigned or signed type of its width · w  the type of twice its width · to  the suffix before it
// The expression is a function of the arguments in C++ and of { words, to, wide }: the opcode's words, and two of the types
// above. Its value is converted to the result's type. translated_kernel.h defines the functions that the expressions call.
const rows = [
  // Float arithmetic. Every operation is rounded to nearest.
  ['add.rn.{f32,f64}', 't = t t', (a, b) => `${a} + ${b}`],
  ['sub.rn.{f32,f64}', 't = t t', (a, b) => `${a} - ${b}`],
  ['mul.rn.{f32,f64}', 't = t t', (a, b) => `${a} * ${b}`],
  ['div.rn.{f32,f64}', 't = t t', (a, b) => `${a} / ${b}`],
  ['rcp.rn.{f32,f64}', 't = t', (a) => `1 / ${a}`],
  ['sqrt.rn.{f32,f64}', 't = t', (a) => `std::sqrt(${a})`],
  ['fma.rn.{f32,f64}', 't = t t t', (a, b, c) => `std::fma(${a}, ${b}, ${c})`],
  ['neg.{f32,f64}', 't = t', (a) => `-${a}`],
  ['abs.{f32,f64}', 't = t', (a) => `std::fabs(${a})`],
  ['min.{f32,f64}', 't = t t', (a, b) => `minimum(${a}, ${b})`],
  ['max.{f32,f64}', 't = t t', (a, b) => `maximum(${a}, ${b})`],
  ['copysign.{f32,f64}', 't = t t', (a, b) => `std::copysign(${b}, ${a})`],

  // Integer arithmetic wraps, so that it is done on unsigned numbers.
  ['add.{s,u}{16,32,64}', 'u = u u', (a, b) => `${a} + ${b}`],
  ['sub.{s,u}{16,32,64}', 'u = u u', (a, b) => `${a} - ${b}`],
  ['mul.lo.{s,u}{32,64}', 'u = u u', (a, b) => `${a} * ${b}`],
  ['mul.lo.{s,u}16', 'u = u u', (a, b) => `std::uint32_t{${a}} * ${b}`],
  ['mul.wide.{s,u}{16,32}', 'w = t t', (a, b, { wide }) => `${wide}(${a}) * ${b}`],
  ['mul.hi.{s,u}32', 't = t t', (a, b) => `highProduct(${a}, ${b})`],
  ['mul.hi.{s,u}64', 't = t t', (a, b) => `highProduct(${a}, ${b})`],
  ['mad.lo.{s,u}{32,64}', 'u = u u u', (a, b, c) => `${a} * ${b} + ${c}`],
  ['mad.wide.{s,u}{16,32}', 'w = t t w', (a, b, c, { wide }) => `${wide}(${a}) * ${b} + ${c}`],
  ['div.{s,u}{16,32,64}', 't = t t', (a, b) => `quotient(${a}, ${b})`],
  ['rem.{s,u}{16,32,64}', 't = t t', (a, b) => `modulo(${a}, ${b})`],
  ['min.{s,u}{16,32,64}', 't = t t', (a, b) => `std::min(${a}, ${b})`],
  ['max.{s,u}{16,32,64}', 't = t t', (a, b) => `std::max(${a}, ${b})`],
  ['neg.s{16,32,64}', 'u = u', (a) => `0 - ${a}`],
  ['abs.s{16,32,64}', 'u = s', (a) => `magnitude(${a})`],

  // Bits.
  ['and.{b16,b32,b64,pred}', 't = t t', (a, b) => `${a} & ${b}`],
  ['or.{b16,b32,b64,pred}', 't = t t', (a, b) => `${a} | ${b}`],
  ['xor.{b16,b32,b64,pred}', 't = t t', (a, b) => `${a} ^ ${b}`],
  ['not.b{16,32,64}', 't = t', (a) => `~${a}`],
  ['not.pred', 't = t', (a) => `!${a}`],
  ['shl.b{16,32,64}', 't = t u32', (a, n) => `shiftLeft(${a}, ${n})`],
  ['shr.{b,u,s}{16,32,64}', 't = t u32', (a, n) => `shiftRight(${a}, ${n})`],
  ['shf.l.wrap.b32', 't = t t t', (a, b, n) => `funnelLeft(${a}, ${b}, ${n})`],
  ['shf.r.wrap.b32', 't = t t t', (a, b, n) => `funnelRight(${a}, ${b}, ${n})`],
  ['bfe.u32', 't = t t t', (a, first, count) => `extract(${a}, ${first}, ${count})`],
  ['clz.b{32,64}', 'u32 = t', (a) => `leadingZeros(${a})`],
  ['popc.b{32,64}', 'u32 = t', (a) => `setBits(${a})`],
  ['brev.b32', 't = t', (a) => `reversed(${a})`],

  // Comparisons. With a trailing u, a float comparison with NaN is true.
  ['setp.{eq,ne}.{b,u,s}{16,32,64}', 'pred = t t', compare],
  ['setp.{lt,le,gt,ge}.{u,s}{16,32,64}', 'pred = t t', compare],
  ['setp.{lo,ls,hi,hs}.u{16,32,64}', 'pred = t t', compare],
  ['setp.{eq,lt,le,gt,ge}.{f32,f64}', 'pred = t t', compare],
  ['setp.ne.{f32,f64}', 'pred = t t', (a, b) => `${a} < ${b} || ${a} > ${b}`],
  ['setp.{equ,neu,ltu,leu,gtu,geu}.{f32,f64}', 'pred = t t', compareOrNan],
  ['setp.nan.{f32,f64}', 'pred = t t', (a, b) => `std::isnan(${a}) || std::isnan(${b})`],
  ['setp.num.{f32,f64}', 'pred = t t', (a, b) => `!std::isnan(${a}) && !std::isnan(${b})`],
  ['selp.{b,u,s}{16,32,64}', 't = t t pred', select],
  ['selp.{f32,f64}', 't = t t pred', select],

  // Conversions.
  ['cvt.{s,u}{8,16,32,64}.{s,u}{8,16,32,64}', 'to = t', (a) => a],
  ['cvt.rn.{f32,f64}.{s,u}{8,16,32,64}', 'to = t', (a) => a],
  ['cvt.f64.f32', 'to = t', (a) => a],
  ['cvt.rn.f32.f64', 'to = t', (a) => a],
  ['cvt.rzi.{s,u}{16,32,64}.{f32,f64}', 'to = t', (a, { to }) => `toInteger<${to}>(std::trunc(${a}))`],
  ['cvt.rni.{s,u}{16,32,64}.{f32,f64}', 'to = t', (a, { to }) => `toInteger<${to}>(std::nearbyint(${a}))`],
  ['cvt.rmi.{s,u}{16,32,64}.{f32,f64}', 'to = t', (a, { to }) => `toInteger<${to}>(std::floor(${a}))`],
  ['cvt.rpi.{s,u}{16,32,64}.{f32,f64}', 'to = t', (a, { to }) => `toInteger<${to}>(std::ceil(${a}))`],
  ['cvt.rzi.{f32.f32,f64.f64}', 'to = t', (a) => `std::trunc(${a})`],
  ['cvt.rni.{f32.f32,f64.f64}', 'to = t', (a) => `std::nearbyint(${a})`],
  ['cvt.rmi.{f32.f32,f64.f64}', 'to = t', (a) => `std::floor(${a})`],
  ['cvt.rpi.{f32.f32,f64.f64}', 'to = t', (a) => `std::ceil(${a})`],

  // An address in global, constant, local and parameter memory is the processor's. One in shared memory is an offset.
  ['mov.{b,u,s}{16,32,64}', 't = t', (a) => a],
  ['mov.{f32,f64,pred}', 't = t', (a) => a],
  ['cvta{,.to}.{global,const,local,param}.u64', 't = t', (a) => a],
  ['cvta.shared.u64', 't = t', (a) => `shared.genericAddress(${a})`],
  ['cvta.to.shared.u64', 't = t', (a) => `shared.offset(${a})`],

  // Threads that wait for each other.
  ['ld.acquire.gpu.global.{u32,b32}', 'u32 = address', (a) => `acquireLoad(${counter(a)})`],
  ['red.release.gpu.global.add.u32', '= address u32', (a, n) => `releaseAdd(${counter(a)}, ${n})`],
  ['{bar,barrier}.sync{,.aligned}', '= u32 u32?', barrier],
  ['bar.warp.sync', '= u32', (mask) => `syncWarp(${mask})`],
]

// Loads and stores. The cache operators .ca, .cg, .cs and .nc change how fast they are, not what they read: the caches of a
// card are consistent after a barrier or an acquire, and .nc is for memory that the launch does not write.
const memoryTypes = '{b8,u8,s8,b16,u16,s16,b32,u32,s32,f32,b64,u64,s64,f64}'
const loads = `ld{,.global,.shared,.local,.param,.const}{,.ca,.cg,.cs,.nc}{,.v2,.v4}.${memoryTypes}`
const stores = `st{,.global,.shared,.local}{,.cg,.cs,.wb,.wt}{,.v2,.v4}.${memoryTypes}`

/** Opcode → { kind, operands, expression }. The kinds other than "row" are written by translate-ptx.mjs. */
export const instructions = new Map([
  ...rows.flatMap(([opcodes, operands, expression]) =>
    alternatives(opcodes).map((opcode) => [opcode, { kind: 'row', operands, expression }]),
  ),
  ...alternatives(loads).map((opcode) => [opcode, { kind: 'load' }]),
  ...alternatives(stores).map((opcode) => [opcode, { kind: 'store' }]),
  ['bra', { kind: 'branch' }],
  ['bra.uni', { kind: 'branch' }],
  ['brx.idx', { kind: 'indexedBranch' }],
  ['brx.idx.uni', { kind: 'indexedBranch' }],
  ['ret', { kind: 'return' }],
  ['exit', { kind: 'return' }],
  ['trap', { kind: 'trap' }],
])

/** Expands the braces of "add.{s,u}{16,32}". */
function alternatives(pattern) {
  const [, before, choices, after] = /^(.*?)\{([^}]*)\}(.*)$/.exec(pattern) ?? []
  if (choices === undefined) return [pattern]
  return choices.split(',').flatMap((choice) => alternatives(`${before}${choice}${after}`))
}

function compare(a, b, { words }) {
  const symbols = {
    eq: '==',
    ne: '!=',
    lt: '<',
    le: '<=',
    gt: '>',
    ge: '>=',
    lo: '<',
    ls: '<=',
    hi: '>',
    hs: '>=',
  }
  return `${a} ${symbols[words[1]]} ${b}`
}

function compareOrNan(a, b, { words }) {
  if (words[1] === 'neu') return `${a} != ${b}`
  if (words[1] === 'equ') return `!(${a} < ${b} || ${a} > ${b})`
  const opposites = { ltu: '>=', leu: '>', gtu: '<=', geu: '<' }
  return `!(${a} ${opposites[words[1]]} ${b})`
}

function select(a, b, condition) {
  return `${condition} ? ${a} : ${b}`
}

function barrier(...operands) {
  const [id, threads] = operands.slice(0, -1)
  return `syncBarrier(${id}, ${threads ?? 'blockThreads()'})`
}

function counter(address) {
  return `reinterpret_cast<std::uint32_t*>(${address})`
}
