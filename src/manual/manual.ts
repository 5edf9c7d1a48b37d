/** The commands as a man page and as Markdown. */
import { allCommands, type CommandOutline, isRunnable } from './outline.js'

const exitStatus = [
  ['0', 'done'],
  ['1', 'failure'],
  ['2', 'error in the command line or the config; nothing was written'],
  ['130', 'interrupted; a checkpoint is saved'],
] as const

/** Returns man/eigenae.1, in the macros of man(7). */
export function manPage(root: CommandOutline, version: string): string {
  const commands = allCommands(root).slice(1)
  const lines = [
    `.TH EIGENAE 1 "" "eigenae ${version}" "User Commands"`,
    '.SH NAME',
    `eigenae \\- ${roff(root.summary)}`,
    '.SH SYNOPSIS',
    ...synopses(commands.filter(isRunnable)),
    '.SH DESCRIPTION',
    'Results go to standard output, progress and messages to standard error.',
    '.SH OPTIONS',
    ...optionLines(root),
    '.SH COMMANDS',
    ...commands.flatMap(manSection),
    '.SH EXIT STATUS',
    ...exitStatus.flatMap(([code, meaning]) => item(code, meaning)),
    '.SH ENVIRONMENT',
    ...item('EIGENAE_ISA', 'forces an instruction set: amx, avx512, avx2 or x86-64'),
    ...item('EIGENAE_DEBUG', 'if 1, errors include a stack trace'),
    ...item(
      'EIGENAE_TENSORFLOW_DIR',
      'the folder of the installations that setup tensorflow makes (default: eigenae/tensorflow in the cache folder)',
    ),
    ...item('XDG_CACHE_HOME', 'the cache folder (default: ~/.cache)'),
    ...item('NO_COLOR', 'if set and not empty, tables and warnings have no colours on a terminal'),
  ]
  return `${lines.join('\n')}\n`
}

function synopses(commands: readonly CommandOutline[]): readonly string[] {
  return commands.flatMap(({ usage }, index) => [...(index === 0 ? [] : ['.br']), `.B ${roff(usage)}`])
}

function manSection(command: CommandOutline): readonly string[] {
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

/** Escapes a line of text, so that roff sees no requests, quotes or hyphens in it. */
function roff(text: string): string {
  return text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll('"', '\\(dq')
    .replace(
      /[^\0-\x7f]/g,
      (character) => `\\[u${character.codePointAt(0)?.toString(16).toUpperCase().padStart(4, '0')}]`,
    )
    .replace(/^(\s*)([.'])/, '$1\\&$2')
}

/** Returns docs/commands.md. */
export function markdownManual(root: CommandOutline): string {
  const commands = allCommands(root).slice(1)
  const overview = commands
    .filter(isRunnable)
    .map(({ words, summary }) => `| [\`${words.join(' ')}\`](#${words.join('-')}) | ${cell(summary)} |`)
  return `# Commands

Generated from the output of \`--help\` by \`npm run generate\`; a test keeps it current. \`man/eigenae.1\` has the same text as a man page.

| command | does |
|---|---|
${overview.join('\n')}

${optionTable(root)}

${commands.map(markdownSection).join('\n\n')}
`
}

function markdownSection(command: CommandOutline): string {
  const { words, summary, usage, parameters, examples } = command
  const rows = parameters.map(({ name, description }) => `| \`${name}\` | ${cell(description)} |`)
  const arguments_ = rows.length === 0 ? [] : [`| argument | |\n|---|---|\n${rows.join('\n')}`]
  const example = examples === '' ? [] : [codeBlock(examples)]
  return [
    `## ${words.join(' ')}`,
    `${summary}.`,
    codeBlock(usage),
    ...arguments_,
    optionTable(command),
    ...example,
  ].join('\n\n')
}

function optionTable(command: CommandOutline): string {
  const rows = command.options.map(({ flags, description }) => `| \`${flags}\` | ${cell(description)} |`)
  return `| option | |\n|---|---|\n${rows.join('\n')}`
}

function codeBlock(text: string): string {
  return `\`\`\`\n${text}\n\`\`\``
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('<', '\\<')
}
