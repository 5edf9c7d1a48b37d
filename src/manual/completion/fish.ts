import { allCommands, type CommandOutline, type OptionOutline, type Value } from '../outline.js'

/** A line for each command, option and parameter, with the words that must have come before it. */
export function fishCompletion(root: CommandOutline): string {
  const lines = allCommands(root).flatMap((command) => [
    ...command.commands.map((each) =>
      complete(command, `-f -a ${each.words.at(-1)} -d ${quoted(each.summary)}`),
    ),
    ...command.parameters.map(({ value, description }) =>
      complete(command, `${offer(value)} -d ${quoted(description)}`),
    ),
    ...command.options.map((option) => complete(command, optionFlags(option))),
  ])
  return `# fish completion for eigenae: eigenae completion fish > ~/.config/fish/completions/eigenae.fish
complete -c eigenae -f
${lines.join('\n')}
`
}

function complete(command: CommandOutline, rest: string): string {
  return `complete -c eigenae -n '${condition(command)}' ${rest}`
}

/** The command's own words were seen, and none of those within it. */
function condition({ words, commands }: CommandOutline): string {
  const seen = words.slice(1).map((word) => `__fish_seen_subcommand_from ${word}`)
  const names = commands.map((each) => each.words.at(-1)).join(' ')
  return [...seen, ...(names === '' ? [] : [`not __fish_seen_subcommand_from ${names}`])].join('; and ')
}

function optionFlags({ names, description, value }: OptionOutline): string {
  const flags = names.map((name) => (name.startsWith('--') ? `-l ${name.slice(2)}` : `-s ${name.slice(1)}`))
  return [...flags, ...(value === null ? [] : [`-r ${offer(value)}`]), `-d ${quoted(description)}`].join(' ')
}

function offer(value: Value): string {
  if (value.kind === 'choices') return `-f -a '${value.choices.join(' ')}'`
  if (value.kind === 'folder') return "-f -a '(__fish_complete_directories)'"
  return value.kind === 'file' ? '-F' : '-f'
}

function quoted(text: string): string {
  return `'${text.replace(/['\\]/g, (sign) => `\\${sign}`)}'`
}
