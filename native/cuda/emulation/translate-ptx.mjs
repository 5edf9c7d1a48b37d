// Translates PTX into C++ that runs on fibers (fibers.h), so that a machine without a card can run what the CUDA compiler
// made of the kernel.
//
//   node native/cuda/emulation/translate-ptx.mjs kernel.ptx kernel.cc
//
// A register becomes a variable, a branch a goto, and each instruction a statement by its row in ptx-instructions.mjs.
// Anything unknown is refused with its line.
import { readFileSync, writeFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import { instructions } from './ptx-instructions.mjs'
import { bitsOf, PtxError, readPtx, roundUp } from './read-ptx.mjs'

const specialRegisters = {
  '%tid.x': 'threadIndex()',
  '%ctaid.x': 'blockIndex()',
  '%ntid.x': 'blockThreads()',
  '%nctaid.x': 'gridBlocks()',
  '%laneid': 'threadIndex() % 32',
  '%clock64': 'std::chrono::steady_clock::now().time_since_epoch().count()',
}

/**
 * Returns the C++. `file` is the name of the PTX in error messages of the C++ compiler and of ThreadSanitizer. With `count`
 * the code counts how often each segment is entered, and writes the counts into the file $EIGENAE_SEGMENT_COUNTS.
 */
export function translatePtx(text, { file = 'kernel.ptx', count = false } = {}) {
  const module = readPtx(text)
  const shared = sharedOffsets(module)
  const segments = count ? segmentsOf(module) : []
  const firstInstructions = new Map(segments.map(({ instructions }, index) => [instructions[0], index]))
  const kernels = module.kernels.map(
    (kernel) => new KernelTranslation(kernel, module, shared, file, firstInstructions),
  )
  const bodies = kernels.map((kernel) => kernel.translate())
  const used = new Set(kernels.flatMap((kernel) => [...kernel.usedVariables]))
  return [
    `// Translated from PTX ${module.version} for ${module.target}.`,
    '#include "translated_kernel.h"',
    'using namespace eigenae::emulation;',
    'using namespace eigenae::emulation::ptx;',
    'namespace {',
    ...(count ? [`SegmentCounts<${segments.length}> segmentCounts;`] : []),
    ...module.variables.filter(({ name, space }) => used.has(name) && space !== 'shared').map(defineVariable),
    ...bodies,
    ...module.kernels.map(
      ({ name, parameters }) =>
        `const TranslatedParameter ${name}_parameters[] = {${parameters.map(({ offset, bytes }) => `{${offset}, ${bytes}}`).join(', ')}};`,
    ),
    'const TranslatedKernel kernels[] = {',
    ...module.kernels.map(
      ({ name, parameters, parameterBytes, maxThreads }) =>
        `    {"${name}", ${name}, ${name}_parameters, ${parameters.length}, ${parameterBytes}, ${shared.staticBytes}, ${maxThreads}},`,
    ),
    '};',
    '}  // namespace',
    `TranslatedModule eigenae_translated_module() { return {kernels, ${module.kernels.length}, launchTranslated}; }`,
    '',
  ].join('\n')
}

/**
 * Returns the parts of the kernels that run from their first to their last instruction: { kernel, instructions }. The order
 * is that of the counts in $EIGENAE_SEGMENT_COUNTS, which has those of all threads, of thread 0 of block 0, and of its thread
 * 256, one after the other.
 */
export function segmentsOf({ kernels }) {
  return kernels.flatMap(({ name, items }) => {
    const segments = []
    let ended = true
    for (const item of items) {
      if (item.kind === 'label') ended = true
      if (item.kind !== 'instruction') continue
      if (ended) segments.push({ kernel: name, instructions: [] })
      segments.at(-1).instructions.push(item)
      ended = /^(bra|brx|ret|exit)\b/.test(item.opcode)
    }
    return segments
  })
}

/** Places the variables in shared memory: the static ones first, then the launch's dynamic memory. */
function sharedOffsets({ variables, kernels }) {
  const all = [
    ...variables,
    ...kernels.flatMap(({ items }) => items.filter(({ kind }) => kind === 'variable')),
  ]
  const offsets = new Map()
  let bytes = 0
  for (const { space, name, type, alignment, count, external } of all) {
    if (space !== 'shared' || external) continue
    offsets.set(name, roundUp(bytes, alignment))
    bytes = offsets.get(name) + (count * bitsOf(type)) / 8
  }
  const staticBytes = roundUp(bytes, 128)
  for (const { space, name, external } of all)
    if (space === 'shared' && external) offsets.set(name, staticBytes)
  return { offsets, staticBytes }
}

function defineVariable({ name, type, alignment, count, values, space }) {
  const element = `${space === 'const' ? 'const ' : ''}${cType(type)}`
  const initial = (values ?? []).map((value) => immediate(value, type)).join(', ')
  return `alignas(${alignment}) ${element} ${cName(name)}[${count}] = {${initial}};`
}

class KernelTranslation {
  usedVariables = new Set()
  #kernel
  #file
  #symbols = new Map() // name of a parameter or variable → C++ of its address
  #registers = new Map() // name → type
  #targets = new Map() // label of a list → labels
  #segments // first instruction of a segment → its number

  constructor(kernel, module, shared, file, segments) {
    this.#kernel = kernel
    this.#file = file
    this.#segments = segments
    for (const { name, offset } of kernel.parameters)
      this.#symbols.set(name, `addressOf(parameters + ${offset})`)
    for (const { name, space } of module.variables)
      if (space !== 'shared') this.#symbols.set(name, `addressOf(${cName(name)})`)
    for (const [name, offset] of shared.offsets) this.#symbols.set(name, `${offset}`)
  }

  translate() {
    const { name, items } = this.#kernel
    const body = []
    for (const [index, item] of items.entries()) {
      if (item.kind === 'targets') this.#targets.set(items[index - 1].name, item.labels)
    }
    for (const item of items) body.push(...this.#item(item))
    return [
      `void ${name}(char* parameters) {`,
      '  (void)parameters;',
      '  const SharedMemory shared{sharedMemory(), static_cast<std::uint32_t>(sharedMemoryBytes())};',
      '  (void)shared;',
      ...body,
      '}',
    ].join('\n')
  }

  #item(item) {
    switch (item.kind) {
      case 'registers':
        return this.#declare(item)
      case 'variable':
        return this.#defineLocal(item)
      case 'label':
        return this.#targets.has(item.name) ? [] : [`${cName(item.name)}:;`]
      case 'open':
        return ['{']
      case 'close':
        return ['}']
      case 'instruction':
        return this.#instruction(item)
      default:
        return []
    }
  }

  #declare({ type, names }) {
    for (const name of names) this.#registers.set(name, type)
    return [`  [[maybe_unused]] ${cType(type)} ${names.map((name) => cName(name)).join(', ')};`]
  }

  #defineLocal({ space, name, type, alignment, count }) {
    if (space === 'shared') return []
    this.#symbols.set(name, `addressOf(${cName(name)})`)
    return [`  alignas(${alignment}) ${cType(type)} ${cName(name)}[${count}];`]
  }

  #instruction(instruction) {
    const { opcode, line, predicate, source } = instruction
    const row = instructions.get(opcode)
    if (row === undefined) throw new PtxError(line, `the translator refuses ${opcode}`)
    const statement = this.#statement(instruction, row)
    const { register, negated } = predicate ?? {}
    const condition =
      register === undefined ? '' : `if (${negated ? '!' : ''}${this.#register(register, line)}) `
    const place =
      source === undefined ? `#line ${line} "${this.#file}"` : `#line ${source.line} "${source.file}"`
    const segment = this.#segments.get(instruction)
    const counted = segment === undefined ? '' : `segmentCounts.add(${segment}); `
    return [place, `  ${counted}${condition}{ ${statement} }`]
  }

  #statement(instruction, row) {
    const { operands, opcode, line, inlineAssembly } = instruction
    switch (row.kind) {
      case 'load':
      case 'store':
        return this.#access(instruction)
      case 'branch':
        return `goto ${cName(operands[0])};`
      case 'indexedBranch': {
        const labels = this.#targets.get(operands[1])
        if (labels === undefined) throw new PtxError(line, `unknown list of labels: ${operands[1]}`)
        const cases = labels.map((label, index) => `case ${index}: goto ${cName(label)};`)
        return `switch (${this.#read(operands[0], 'u32', line)}) { ${cases.join(' ')} }`
      }
      case 'return':
        return 'return;'
      case 'trap':
        // The compiler writes a trap of its own where it concluded that the program is undefined.
        if (!inlineAssembly)
          throw new PtxError(line, 'the compiler wrote a trap: the kernel is undefined here')
        return `fail(Outcome::trapped, "trap in line ${line} of the PTX");`
      default:
        if (opcode.startsWith('mov.b') && operands.some((operand) => operand.startsWith('{')))
          return this.#pack(instruction)
        return this.#apply(instruction, row)
    }
  }

  /** Writes an instruction of the table. */
  #apply({ opcode, operands, line }, { operands: signature, expression }) {
    const words = opcode.split('.')
    const typeOf = (letter) => resolveType(letter, words)
    const [result, argumentTypes] = signature.split('=').map((types) => types.trim().split(' '))
    const types = argumentTypes.map((type) => type.replace('?', ''))
    const required = argumentTypes.filter((type) => !type.endsWith('?')).length
    const given = result[0] === '' ? operands : operands.slice(1)
    if (given.length < required || given.length > types.length)
      throw new PtxError(line, `${opcode} with ${operands.length} operands`)
    const values = given.map((operand, index) =>
      types[index] === 'address'
        ? this.#address(operand, line)
        : this.#read(operand, typeOf(types[index]), line),
    )
    const value = expression(...values, { words, to: cType(words.at(-2)), wide: cType(typeOf('w')) })
    if (result[0] === '') return `${value};`
    return this.#assign(operands[0], typeOf(result[0]), value, line)
  }

  /** Writes a load or a store of one register or of a vector of them. */
  #access({ opcode, operands, line }) {
    const words = opcode.split('.')
    const type = words.at(-1)
    const load = words[0] === 'ld'
    const [registers, place] = load ? operands : [operands[1], operands[0]]
    const elements = registers.startsWith('{') ? splitVector(registers) : [registers]
    const bytes = bitsOf(type) / 8
    const vector = Number(words.find((word) => /^v\d$/.test(word))?.slice(1) ?? 1)
    if (vector !== elements.length) throw new PtxError(line, `${opcode} of ${elements.length} registers`)
    const size = bytes * elements.length
    const address = this.#address(place, line)
    const pointer = words.includes('shared')
      ? `shared.at<${size}>(static_cast<std::uint32_t>(${address}))`
      : `memory.at<${size}>(${address})`
    const statements = elements.flatMap((register, index) => {
      const element = `reinterpret_cast<${cType(type)}*>(at)[${index}]`
      if (register === '_') return []
      return load
        ? [this.#assign(register, type, element, line)]
        : [`${element} = ${this.#read(register, type, line)};`]
    })
    return `char* const at = ${pointer}; ${statements.join(' ')}`
  }

  /** Writes mov.b64 {low, high}, register and mov.b64 register, {low, high}. */
  #pack({ opcode, operands, line }) {
    const bits = bitsOf(opcode)
    const [whole, half] = [`u${bits}`, `u${bits / 2}`]
    if (operands[0].startsWith('{')) {
      const [low, high] = splitVector(operands[0])
      const parts = [
        [low, 'whole'],
        [high, `whole >> ${bits / 2}`],
      ]
      const assigned = parts.filter(([register]) => register !== '_')
      return [
        `const ${cType(whole)} whole = ${this.#read(operands[1], whole, line)};`,
        ...assigned.map(([register, value]) => this.#assign(register, half, value, line)),
      ].join(' ')
    }
    const [low, high] = splitVector(operands[1]).map((register) => this.#read(register, half, line))
    const value = `${cType(whole)}(${cType(whole)}(${high}) << ${bits / 2}) | ${low}`
    return this.#assign(operands[0], whole, value, line)
  }

  /** Returns the C++ of an address, as in "[%rd1+8]": a pointer's bits, or an offset into shared memory. */
  #address(operand, line) {
    const [, base, offset] = /^\[\s*([%\w$.]+)\s*(?:\+\s*(-?\d+))?\s*\]$/.exec(operand) ?? []
    if (base === undefined) throw new PtxError(line, `unknown address: ${operand}`)
    const start = this.#symbols.has(base) ? this.#symbol(base) : this.#register(base, line)
    return offset === undefined ? start : `${start} + ${offset}`
  }

  /** Returns the C++ of an operand's value as the given type. */
  #read(operand, type, line) {
    if (operand in specialRegisters) return `${cType(type)}(${specialRegisters[operand]})`
    if (this.#symbols.has(operand)) return `${cType(type)}(${this.#symbol(operand)})`
    if (/^-?\d|^0[fdx]/.test(operand)) return immediate(operand, type)
    const register = this.#register(operand, line)
    return convert(register, this.#registers.get(operand), type)
  }

  #assign(register, type, value, line) {
    const name = this.#register(register, line)
    const own = this.#registers.get(register)
    const typed = type === 'pred' ? value : `${cType(type)}(${value})`
    return `${name} = ${isFloat(own) === isFloat(type) ? typed : convert(typed, type, own)};`
  }

  #register(name, line) {
    if (!this.#registers.has(name)) throw new PtxError(line, `unknown operand: ${name}`)
    return cName(name)
  }

  #symbol(name) {
    this.usedVariables.add(name)
    return this.#symbols.get(name)
  }
}

/** Returns the type that a letter of a row stands for; see ptx-instructions.mjs. */
function resolveType(letter, words) {
  const type = words.at(-1)
  if (letter === 't') return type
  if (letter === 'to') return words.at(-2)
  if (letter === 'u' || letter === 's') return `${letter}${bitsOf(type)}`
  if (letter === 'w') return `${type[0]}${2 * bitsOf(type)}`
  return letter
}

function splitVector(operand) {
  return operand
    .replace(/[{}]/g, '')
    .split(',')
    .map((register) => register.trim())
}

/** Returns the C++ of a number: 0f3F800000 is a float's bits in hexadecimal digits. */
function immediate(text, type) {
  if (/^0[fF]/.test(text)) return convert(`0x${text.slice(2)}u`, 'u32', type)
  if (/^0[dD]/.test(text)) return convert(`0x${text.slice(2)}ull`, 'u64', type)
  if (isFloat(type)) return convert(immediate(text, `u${bitsOf(type)}`), `u${bitsOf(type)}`, type)
  if (type === 'pred') return text === '0' ? 'false' : 'true'
  return `${cType(type)}(${BigInt.asUintN(64, BigInt(text))}ull)`
}

/** Returns the C++ that turns a value of one type into another: an integer's lower bits, or a float's bits. */
function convert(value, from, to) {
  if (cType(from) === cType(to)) return value
  return isFloat(from) || isFloat(to) ? `bits<${cType(to)}>(${value})` : `${cType(to)}(${value})`
}

function isFloat(type) {
  return type === 'f32' || type === 'f64'
}

function cType(type) {
  if (type === 'pred') return 'bool'
  if (type === 'f32') return 'float'
  if (type === 'f64') return 'double'
  return `std::${type[0] === 's' ? '' : 'u'}int${bitsOf(type)}_t`
}

/** %r12 → r12_, $L__BB0_1 → L__BB0_1_: no name of C++ ends so. */
function cName(name) {
  return `${name.replace(/[%$]/g, '')}_`
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const [input, output] = process.argv.slice(2)
  try {
    writeFileSync(output, translatePtx(readFileSync(input, 'utf8'), { file: input }))
  } catch (error) {
    if (!(error instanceof PtxError)) throw error
    console.error(`${input}: ${error.message}`)
    process.exitCode = 1
  }
}
