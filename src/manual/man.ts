import { allCommands, type CommandOutline } from './outline.js'

const exitStatus = [
  ['0', 'done'],
  ['1', 'it failed'],
  ['2', 'a mistake in the command or the config; nothing was written'],
  ['130', 'interrupted; a checkpoint is saved'],
] as const

/** man/eigenae.1, in the macros of man(7). */
export function manPage(root: CommandOutline, version: string): string {
  const commands = allCommands(root).slice(1)
  const lines = [
    `.TH EIGENAE 1 "" "eigenae ${version}" "User Commands"`,
    '.SH NAME',
    `eigenae \\- ${roff(root.summary)}`,
    '.SH SYNOPSIS',
    ...synopses(commands.filter(({ commands }) => commands.length === 0)),
    '.SH DESCRIPTION',
    'Results go to standard output, progress and messages to standard error.',
    '.SH OPTIONS',
    ...optionLines(root),
    '.SH COMMANDS',
    ...commands.flatMap(section),
    '.SH EXIT STATUS',
    ...exitStatus.flatMap(([code, meaning]) => item(code, meaning)),
    '.SH ENVIRONMENT',
    ...item('EIGENAE_ISA', 'forces an instruction set: amx, avx512, avx2, x86-64'),
    ...item('EIGENAE_DEBUG', '1 adds the stack trace to an error'),
    ...item(
      'EIGENAE_TENSORFLOW_DIR',
      'the folder that setup tensorflow puts its installations in, and that they are looked for in',
    ),
    ...item('XDG_CACHE_HOME', 'where that folder is by default, as eigenae/tensorflow; else ~/.cache'),
    ...item('NO_COLOR', 'is kept, whether set or not: no output has colours'),
  ]
  return `${lines.join('\n')}\n`
}

function synopses(commands: readonly CommandOutline[]): readonly string[] {
  return commands.flatMap(({ usage }, index) => [...(index === 0 ? [] : ['.br']), `.B ${roff(usage)}`])
}

function section(command: CommandOutline): readonly string[] {
  const { usage, summary, parameters, examples } = command
  return [
    `.SS ${roff(usage)}`,
    `${roff(summary)}.`,
    ...parameters.flatMap(({ name, description }) => item(name, description)),
    ...optionLines(command),
    ...(examples === '' ? [] : ['.PP', '.nf', ...examples.split('\n').map(roff), '.fi']),
  ]
}

function optionLines({ options }: CommandOutline): readonly string[] {
  return options.flatMap(({ flags, description }) => item(flags, description))
}

function item(name: string, description: string): readonly string[] {
  return ['.TP', `.B ${roff(name)}`, roff(description)]
}

/** A line of text: no sign in it is taken for a request, a quote or a hyphen. */
function roff(text: string): string {
  return text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll('"', '\\(dq')
    .replace(
      /[^\0-\x7f]/g,
      (sign) => `\\[u${sign.codePointAt(0)?.toString(16).toUpperCase().padStart(4, '0')}]`,
    )
    .replace(/^(\s*)([.'])/, '$1\\&$2')
}
