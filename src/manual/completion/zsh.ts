import { allCommands, type CommandOutline, type OptionOutline, type Value } from '../outline.js'

/** Returns a function for every command: _eigenae, _eigenae_data, _eigenae_data_fetch. */
export function zshCompletion(root: CommandOutline): string {
  return `#compdef eigenae
# zsh completion for eigenae. In ~/.zshrc, after compinit: eval "$(eigenae completion zsh)"
${allCommands(root)
  .map((command) => (command.commands.length === 0 ? leaf(command) : branch(command)))
  .join('\n')}
if [[ $funcstack[1] == _eigenae ]]; then _eigenae "$@"; else compdef _eigenae eigenae; fi
`
}

function leaf(command: CommandOutline): string {
  const parameters = command.parameters.map(
    ({ name, variadic, value }, index) =>
      `'${variadic ? '*' : index + 1}:${escapeSpec(name)}:${action(value)}'`,
  )
  return `${functionName(command)}() {
  _arguments -s ${[...command.options.flatMap(specs), ...parameters].join(' \\\n    ')}
}`
}

function branch(command: CommandOutline): string {
  const names = command.commands.map(({ words, summary }) => `'${words.at(-1)}:${escapeSpec(summary)}'`)
  const [parameter] = command.parameters
  const isPath = parameter?.value.kind === 'file' || parameter?.value.kind === 'folder'
  const words = isPath ? ` || ${action(parameter.value)}` : ''
  const cases = command.commands.map((each) => `${each.words.at(-1)}) ${functionName(each)} ;;`)
  return `${functionName(command)}() {
  local curcontext=$curcontext state line
  local -a commands
  _arguments -C ${command.options.flatMap(specs).join(' ')} '1:command:->command' '*::argument:->argument'
  case $state in
    command) commands=(${names.join(' ')}); _describe command commands${words} ;;
    argument) case $words[1] in ${cases.join(' ')} esac ;;
  esac
}`
}

function functionName({ words }: CommandOutline): string {
  return `_${words.join('_').replaceAll('-', '_')}`
}

function specs({ names, description, repeatable, value }: OptionOutline): readonly string[] {
  const takes = value === null ? '' : `:value:${action(value)}`
  return names.map((name) => {
    // "=" lets the value follow in the same word as well: --metric=test_mse.
    const option = value !== null && name.startsWith('--') ? `${name}=` : name
    return `'${repeatable ? '*' : ''}${option}[${escapeSpec(description)}]${takes}'`
  })
}

function action(value: Value): string {
  if (value.kind === 'choices') return `(${value.choices.join(' ')})`
  if (value.kind === 'settings') return `{compadd -S "" -- ${value.choices.join(' ')}}`
  if (value.kind === 'text') return ' '
  return value.kind === 'file' ? '_files' : '_files -/'
}

function escapeSpec(text: string): string {
  return text
    .replaceAll("'", "'\\''")
    .replace(/[\\[\]:]/g, (character) => (character === '\\' ? character : `\\${character}`))
}
