import { allCommands, type CommandOutline, isRunnable } from './outline.js'

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

${options(root)}

${commands.map(section).join('\n\n')}
`
}

function section(command: CommandOutline): string {
  const { words, summary, usage, parameters, examples } = command
  const rows = parameters.map(({ name, description }) => `| \`${name}\` | ${cell(description)} |`)
  const arguments_ = rows.length === 0 ? [] : [`| argument | |\n|---|---|\n${rows.join('\n')}`]
  const example = examples === '' ? [] : [code(examples)]
  return [
    `## ${words.join(' ')}`,
    `${summary}.`,
    code(usage),
    ...arguments_,
    options(command),
    ...example,
  ].join('\n\n')
}

function options(command: CommandOutline): string {
  const rows = command.options.map(({ flags, description }) => `| \`${flags}\` | ${cell(description)} |`)
  return `| option | |\n|---|---|\n${rows.join('\n')}`
}

function code(text: string): string {
  return `\`\`\`\n${text}\n\`\`\``
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('<', '\\<')
}
