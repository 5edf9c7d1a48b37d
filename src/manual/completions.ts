/** Completions for bash, fish and zsh. */
import { allCommands, type CommandOutline, isRunnable, type OptionOutline, type Value } from './outline.js'

/** Returns completion functions for bash 3.2 and later, which identify a command by its path, such as "/data/fetch". */
export function bashCompletion(root: CommandOutline): string {
  const commands = allCommands(root)
  const inner = commands.slice(1)
  return `# bash completion for eigenae. In ~/.bashrc: eval "$(eigenae completion bash)"
_eigenae_words() { COMPREPLY=($(IFS=' ' compgen -W "$1" -- "$current")); }
_eigenae_settings() { compopt -o nospace 2>/dev/null; _eigenae_words "$1"; }
_eigenae_file() { local IFS=$'\\n'; compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -f -- "$current")); }
_eigenae_folder() { local IFS=$'\\n'; compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -d -- "$current")); }
_eigenae() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD-1]} command='' word
  COMPREPLY=()
  # bash splits --flag=value into three words.
  if [[ $current == '=' ]]; then current=''
  elif [[ $previous == '=' ]]; then previous=\${COMP_WORDS[COMP_CWORD-2]}; fi
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$command/$word" in ${inner.map(bashPath).join('|')}) command="$command/$word" ;; esac
  done
  case "$command $previous" in
${commands.flatMap(bashValues).join('\n')}
  esac
  case "$command $current" in
${commands.map((command) => `    '${bashPath(command)} -'*) _eigenae_words '${bashNames(command)}' ;;`).join('\n')}
${commands.map(bashWords).join('\n')}
  esac
}
complete -F _eigenae eigenae
`
}

function bashPath({ words }: CommandOutline): string {
  return words
    .slice(1)
    .map((word) => `/${word}`)
    .join('')
}

function bashNames({ options }: CommandOutline): string {
  return options.flatMap(({ names }) => names).join(' ')
}

function bashValues(command: CommandOutline): readonly string[] {
  return command.options.flatMap(({ names, value }) => {
    if (value === null) return []
    const patterns = names.map((name) => `'${bashPath(command)} ${name}'`).join('|')
    return [`    ${patterns}) ${bashOffer(value)}; return ;;`]
  })
}

function bashWords(command: CommandOutline): string {
  const names = command.commands.map(({ words }) => words.at(-1)).join(' ')
  const more = `COMPREPLY+=($(IFS=' ' compgen -W '${names}' -- "$current"))`
  const offered = isRunnable(command) ? bashOffer(command.parameters[0]?.value) : `_eigenae_words '${names}'`
  return `    '${bashPath(command)} '*) ${names === '' || !isRunnable(command) ? offered : `${offered}; ${more}`} ;;`
}

function bashOffer({ kind, choices }: Value = { kind: 'text', choices: [] }): string {
  if (kind === 'choices') return `_eigenae_words '${choices.join(' ')}'`
  if (kind === 'settings') return `_eigenae_settings '${choices.join(' ')}'`
  return kind === 'text' ? ':' : `_eigenae_${kind}`
}

/** Returns a line for each command, option and parameter, with the words that must precede it as its condition. */
export function fishCompletion(root: CommandOutline): string {
  const lines = allCommands(root).flatMap((command) => [
    ...command.commands.map((each) =>
      fishLine(command, `-f -a ${each.words.at(-1)} -d ${fishQuote(each.summary)}`),
    ),
    ...command.parameters.map(({ value, description }) =>
      fishLine(command, `${fishOffer(value)} -d ${fishQuote(description)}`),
    ),
    ...command.options.map((option) => fishLine(command, fishFlags(option))),
  ])
  return `# fish completion for eigenae: eigenae completion fish > ~/.config/fish/completions/eigenae.fish
complete -c eigenae -f
${lines.join('\n')}
`
}

function fishLine(command: CommandOutline, rest: string): string {
  return `complete -c eigenae -n '${fishCondition(command)}' ${rest}`
}

/** Tests that the command's own words are present and that none of its subcommands is. */
function fishCondition({ words, commands }: CommandOutline): string {
  const seen = words.slice(1).map((word) => `__fish_seen_subcommand_from ${word}`)
  const names = commands.map((each) => each.words.at(-1)).join(' ')
  return [...seen, ...(names === '' ? [] : [`not __fish_seen_subcommand_from ${names}`])].join('; and ')
}

function fishFlags({ names, description, value }: OptionOutline): string {
  const flags = names.map((name) => (name.startsWith('--') ? `-l ${name.slice(2)}` : `-s ${name.slice(1)}`))
  return [
    ...flags,
    ...(value === null ? [] : [`-r ${fishOffer(value)}`]),
    `-d ${fishQuote(description)}`,
  ].join(' ')
}

function fishOffer(value: Value): string {
  if (value.kind === 'choices' || value.kind === 'settings') return `-f -a '${value.choices.join(' ')}'`
  if (value.kind === 'folder') return "-f -a '(__fish_complete_directories)'"
  return value.kind === 'file' ? '-F' : '-f'
}

function fishQuote(text: string): string {
  return `'${text.replace(/['\\]/g, (character) => `\\${character}`)}'`
}

/** Returns a function for every command: _eigenae, _eigenae_data, _eigenae_data_fetch. */
export function zshCompletion(root: CommandOutline): string {
  return `#compdef eigenae
# zsh completion for eigenae. In ~/.zshrc, after compinit: eval "$(eigenae completion zsh)"
${allCommands(root)
  .map((command) => (command.commands.length === 0 ? zshLeaf(command) : zshBranch(command)))
  .join('\n')}
if [[ $funcstack[1] == _eigenae ]]; then _eigenae "$@"; else compdef _eigenae eigenae; fi
`
}

function zshLeaf(command: CommandOutline): string {
  const parameters = command.parameters.map(
    ({ name, variadic, value }, index) =>
      `'${variadic ? '*' : index + 1}:${zshEscape(name)}:${zshAction(value)}'`,
  )
  return `${zshFunction(command)}() {
  _arguments -s ${[...command.options.flatMap(zshSpecs), ...parameters].join(' \\\n    ')}
}`
}

function zshBranch(command: CommandOutline): string {
  const names = command.commands.map(({ words, summary }) => `'${words.at(-1)}:${zshEscape(summary)}'`)
  const [parameter] = command.parameters
  const isPath = parameter?.value.kind === 'file' || parameter?.value.kind === 'folder'
  const words = isPath ? ` || ${zshAction(parameter.value)}` : ''
  const cases = command.commands.map((each) => `${each.words.at(-1)}) ${zshFunction(each)} ;;`)
  return `${zshFunction(command)}() {
  local curcontext=$curcontext state line
  local -a commands
  _arguments -C ${command.options.flatMap(zshSpecs).join(' ')} '1:command:->command' '*::argument:->argument'
  case $state in
    command) commands=(${names.join(' ')}); _describe command commands${words} ;;
    argument) case $words[1] in ${cases.join(' ')} esac ;;
  esac
}`
}

function zshFunction({ words }: CommandOutline): string {
  return `_${words.join('_').replaceAll('-', '_')}`
}

function zshSpecs({ names, description, repeatable, value }: OptionOutline): readonly string[] {
  const takes = value === null ? '' : `:value:${zshAction(value)}`
  return names.map((name) => {
    // "=" lets the value follow in the same word as well: --metric=test_mse.
    const option = value !== null && name.startsWith('--') ? `${name}=` : name
    return `'${repeatable ? '*' : ''}${option}[${zshEscape(description)}]${takes}'`
  })
}

function zshAction(value: Value): string {
  if (value.kind === 'choices') return `(${value.choices.join(' ')})`
  if (value.kind === 'settings') return `{compadd -S "" -- ${value.choices.join(' ')}}`
  if (value.kind === 'text') return ' '
  return value.kind === 'file' ? '_files' : '_files -/'
}

function zshEscape(text: string): string {
  return text
    .replaceAll("'", "'\\''")
    .replace(/[\\[\]:]/g, (character) => (character === '\\' ? character : `\\${character}`))
}
