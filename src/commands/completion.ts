import { Argument, Command } from 'commander'
import { bashCompletion, fishCompletion, zshCompletion } from '../manual/completions.js'
import { outline } from '../manual/outline.js'
import { writeResult } from '../text/output.js'

const shells = { bash: bashCompletion, zsh: zshCompletion, fish: fishCompletion } as const

const examples = `
Examples:
  eval "$(eigenae completion bash)"      # in ~/.bashrc
  eval "$(eigenae completion zsh)"       # in ~/.zshrc, after compinit
  eigenae completion fish > ~/.config/fish/completions/eigenae.fish`

export function completionCommand() {
  const shell = new Argument('<shell>', 'shell to write the script for').choices(
    Object.keys(shells) as readonly (keyof typeof shells)[],
  )
  return new Command('completion')
    .description('Print a script that completes commands, options and their values in a shell')
    .addArgument(shell)
    .addHelpText('after', examples)
    .action((name, _, command) => writeResult(shells[name](outline(command.parent ?? command)).trimEnd()))
}
