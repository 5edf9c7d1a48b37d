// Reads PTX, the assembly language that NVRTC compiles CUDA to, as far as NVRTC writes it.
//
// The result is a module: { version, target, variables, kernels }. A kernel is { name, parameters, maxThreads, items }. An
// item is one of
//   { kind: 'instruction', opcode, operands, predicate, inlineAssembly, line, source }
//   { kind: 'label', name } · { kind: 'targets', name, labels } · { kind: 'open' } · { kind: 'close' }
//   { kind: 'registers', type, names }
//   { kind: 'variable', space, type, name, alignment, count, values, external }
// A predicate is { register, negated } or undefined. A source is the { file, line } in CUDA that NVRTC recorded with
// --generate-line-info, or undefined.

/** An error about a line of the PTX. */
export class PtxError extends Error {
  constructor(line, problem) {
    super(`line ${line} of the PTX: ${problem}`)
    this.line = line
  }
}

/** Returns the module. Throws PtxError if the text has another form. */
export function readPtx(text) {
  const module = { version: undefined, target: undefined, variables: [], kernels: [] }
  let kernel
  let depth = 0
  for (const part of statements(text, module)) {
    if (kernel === undefined) {
      if (part.kind === 'open' || part.kind === 'close') throw new PtxError(part.line, 'unexpected brace')
      if (/^(\.visible |\.weak )?\.entry /.test(part.text)) {
        kernel = readHeader(part)
        module.kernels.push(kernel)
      } else module.variables.push(readVariable(part))
      continue
    }
    if (part.kind === 'open') depth++
    if (part.kind === 'close') depth--
    if (part.kind === 'close' && depth === 0) kernel = undefined
    else if (part.kind !== 'open' || depth > 1) kernel.items.push(readItem(part))
  }
  if (kernel !== undefined) throw new PtxError(0, `the end of ${kernel.name} is missing`)
  return module
}

/** Yields statements, labels and braces: { kind, text, line, source, inlineAssembly }. */
function* statements(text, module) {
  const files = new Map() // by number; NVRTC names them at the end
  for (const [, number, name] of text.matchAll(/^\s*\.file\s+(\d+)\s+"([^"]*)"/gm)) files.set(number, name)
  let source
  let inlineAssembly = false
  let section = false
  let statement = ''
  let firstLine = 0
  let nested = 0 // braces within the statement: vectors and initial values
  for (const [index, whole] of text.replaceAll('\0', '').split('\n').entries()) {
    const line = index + 1
    if (/^\s*\/\/ begin inline asm/.test(whole)) inlineAssembly = true
    if (/^\s*\/\/ end inline asm/.test(whole)) inlineAssembly = false
    const code = whole.replace(/\/\/.*/, '')
    const directive = /^\s*\.(version|target|address_size|loc|file|section)\b\s*(.*)/.exec(code)
    if (directive !== null) {
      const [, name, value] = directive
      const words = value.trim().split(/[\s,]+/)
      if (name === 'version' || name === 'target') module[name] = words[0]
      if (name === 'loc') source = { file: files.get(words[0]) ?? 'unknown', line: Number(words[1]) }
      if (name === 'section') section = true
      continue
    }
    if (section) {
      if (/^\s*\}/.test(code)) section = false
      continue
    }
    for (const character of `${code} `) {
      const part = (kind, content) => ({
        kind,
        text: content,
        line: firstLine || line,
        source,
        inlineAssembly,
      })
      const begun = statement.trim()
      if (begun === '' && character.trim() !== '') firstLine = line
      if (character === '{' && (begun === '' || /\.entry .*\)/.test(begun))) {
        if (begun !== '') yield part('statement', normalised(begun))
        yield part('open')
        statement = ''
      } else if (character === '}' && nested === 0) {
        if (begun !== '') throw new PtxError(line, `"${begun}" has no end`)
        yield part('close')
      } else if (character === ';' && nested === 0) {
        if (begun !== '') yield part('statement', normalised(begun))
        statement = ''
      } else if (character === ':' && /^[\w$%]+$/.test(begun)) {
        yield part('label', begun)
        statement = ''
      } else {
        if (character === '{') nested++
        if (character === '}') nested--
        statement += character
      }
    }
  }
}

function normalised(text) {
  return text.replace(/\s+/g, ' ')
}

function readHeader({ text, line }) {
  const [, name, parameters, directives] = /\.entry (\S+?) ?\((.*?)\)(.*)/.exec(text) ?? []
  if (name === undefined) throw new PtxError(line, `unknown header: ${text}`)
  let bytes = 0
  const places = parameters.split(',').map((parameter) => {
    const [, alignment, type, symbol, count] =
      /^ ?\.param (?:\.align (\d+) )?\.(\w+) (\S+?)(?:\[(\d+)\])? ?$/.exec(parameter) ?? []
    if (type === undefined) throw new PtxError(line, `unknown parameter: ${parameter}`)
    const size = bitsOf(type) / 8
    const offset = roundUp(bytes, Number(alignment ?? size))
    bytes = offset + size * Number(count ?? 1)
    return { name: symbol, offset, bytes: bytes - offset }
  })
  const [, maxThreads] = /\.(?:maxntid|reqntid) (\d+)/.exec(directives) ?? []
  return {
    name,
    parameters: places,
    parameterBytes: bytes,
    maxThreads: Number(maxThreads ?? 1024),
    items: [],
  }
}

function readVariable({ text, line }) {
  const pattern =
    /^(?<external>\.extern )?(?:\.visible |\.weak )?\.(?<space>global|const|shared|local) (?:\.align (?<alignment>\d+) )?\.(?<type>\w+) (?<name>[\w$]+)(?:\[(?<count>\d*)\])?(?: ?= ?(?<values>.*))?$/
  const groups = pattern.exec(text)?.groups
  if (groups === undefined) throw new PtxError(line, `unknown declaration: ${text}`)
  const { external, space, alignment, type, name, count, values } = groups
  return {
    kind: 'variable',
    space,
    type,
    name,
    alignment: Number(alignment ?? bitsOf(type) / 8),
    count: count === undefined ? 1 : Number(count), // 0: its size comes with the launch
    values: values
      ?.replace(/[{}]/g, '')
      .split(',')
      .map((value) => value.trim()),
    external: external !== undefined,
  }
}

function readItem(part) {
  const { kind, text, line, source, inlineAssembly } = part
  if (kind !== 'statement') return kind === 'label' ? { kind, name: text } : { kind }
  if (text.startsWith('.reg ')) return readRegisters(part)
  if (text.startsWith('.branchtargets ')) return { kind: 'targets', labels: splitOperands(text.slice(15)) }
  if (text.startsWith('.pragma ')) return { kind: 'pragma' }
  if (text.startsWith('.')) return readVariable(part)
  const match = /^(?:@(?<negated>!?)(?<register>[%\w]+) )?(?<opcode>[\w.:]+)(?: (?<operands>.*))?$/.exec(text)
  if (match === null) throw new PtxError(line, `unknown statement: ${text}`)
  const { negated, register, opcode, operands } = match.groups
  const predicate = register === undefined ? undefined : { register, negated: negated === '!' }
  return {
    kind: 'instruction',
    opcode,
    operands: splitOperands(operands ?? ''),
    predicate,
    inlineAssembly,
    line,
    source,
  }
}

/** Reads ".reg .b32 %r<5>", which declares %r0 to %r4, and ".reg .pred done, %p". */
function readRegisters({ text, line }) {
  const [, type, list] = /^\.reg \.(\w+) (.*)$/.exec(text) ?? []
  if (type === undefined) throw new PtxError(line, `unknown declaration: ${text}`)
  const names = splitOperands(list).flatMap((name) => {
    const [, prefix, count] = /^(.*)<(\d+)>$/.exec(name) ?? []
    return prefix === undefined ? [name] : Array.from({ length: Number(count) }, (_, i) => `${prefix}${i}`)
  })
  return { kind: 'registers', type, names }
}

/** Splits at the commas outside braces and brackets. */
function splitOperands(text) {
  const operands = text.match(/(?:\{[^}]*\}|\[[^\]]*\]|[^,{[])+/g) ?? []
  return operands.map((operand) => operand.trim()).filter((operand) => operand !== '')
}

/** Returns the width of a PTX type, as in "f32". */
export function bitsOf(type) {
  return Number(/\d+$/.exec(type)?.[0])
}

export function roundUp(value, multiple) {
  return Math.ceil(value / multiple) * multiple
}
