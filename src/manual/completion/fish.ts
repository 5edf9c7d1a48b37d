import { allCommands, type CommandOutline, type OptionOutline, type Value } from '../outline.js'

/** Returns a line for each command, option and parameter, with the words that must precede it as its condition. */
export function fishCompletion(root: CommandOutline): string {
  const lines = allCommands(root).flatMap((command) => [
    ...command.commands.map((each) =>
      complete(command, `-f -a ${each.words.at(-1)} -d ${quote(each.summary)}`),
    ),
    ...command.parameters.map(({ value, description }) =>
      complete(command, `${offer(value)} -d ${quote(description)}`),
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

/** Tests that the command's own words are present and that none of its subcommands is. */
function condition({ words, commands }: CommandOutline): string {
  const seen = words.slice(1).map((word) => `__fish_seen_subcommand_from ${word}`)
  const names = commands.map((each) => each.words.at(-1)).join(' ')
  return [...seen, ...(names === '' ? [] : [`not __fish_seen_subcommand_from ${names}`])].join('; and ')
}

function optionFlags({ names, description, value }: OptionOutline): string {
  const flags = names.map((name) => (name.startsWith('--') ? `-l ${name.slice(2)}` : `-s ${name.slice(1)}`))
  return [...flags, ...(value === null ? [] : [`-r ${offer(value)}`]), `-d ${quote(description)}`].join(' ')
}

function offer(value: Value): string {
  if (value.kind === 'choices' || value.kind === 'settings') return `-f -a '${value.choices.join(' ')}'`
  if (value.kind === 'folder') return "-f -a '(__fish_complete_directories)'"
  return value.kind === 'file' ? '-F' : '-f'
}

function quote(text: string): string {
  return `'${text.replace(/['\\]/g, (character) => `\\${character}`)}'`
}
