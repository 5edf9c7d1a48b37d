import { allCommands, type CommandOutline, isRunnable, type Value } from '../outline.js'

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
    case "$command/$word" in ${inner.map(path).join('|')}) command="$command/$word" ;; esac
  done
  case "$command $previous" in
${commands.flatMap(optionValues).join('\n')}
  esac
  case "$command $current" in
${commands.map((command) => `    '${path(command)} -'*) _eigenae_words '${optionNames(command)}' ;;`).join('\n')}
${commands.map(firstWords).join('\n')}
  esac
}
complete -F _eigenae eigenae
`
}

function path({ words }: CommandOutline): string {
  return words
    .slice(1)
    .map((word) => `/${word}`)
    .join('')
}

function optionNames({ options }: CommandOutline): string {
  return options.flatMap(({ names }) => names).join(' ')
}

function optionValues(command: CommandOutline): readonly string[] {
  return command.options.flatMap(({ names, value }) => {
    if (value === null) return []
    const patterns = names.map((name) => `'${path(command)} ${name}'`).join('|')
    return [`    ${patterns}) ${offer(value)}; return ;;`]
  })
}

function firstWords(command: CommandOutline): string {
  const names = command.commands.map(({ words }) => words.at(-1)).join(' ')
  const more = `COMPREPLY+=($(IFS=' ' compgen -W '${names}' -- "$current"))`
  const offered = isRunnable(command) ? offer(command.parameters[0]?.value) : `_eigenae_words '${names}'`
  return `    '${path(command)} '*) ${names === '' || !isRunnable(command) ? offered : `${offered}; ${more}`} ;;`
}

function offer({ kind, choices }: Value = { kind: 'text', choices: [] }): string {
  if (kind === 'choices') return `_eigenae_words '${choices.join(' ')}'`
  if (kind === 'settings') return `_eigenae_settings '${choices.join(' ')}'`
  return kind === 'text' ? ':' : `_eigenae_${kind}`
}
