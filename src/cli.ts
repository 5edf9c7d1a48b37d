import { Command, CommanderError, type CommandUnknownOpts, Help, type Option } from 'commander'
import { nativeEngine } from './engines/native/engine.js'
import { wasmVariant } from './engines/wasm/engine.js'
import { EigenaeError, exitCode, usageError } from './errors.js'
import { version } from './runs/facts.js'
import { endQuietlyWhenOutputCloses, writeFailure, writeMessage, writeResult } from './text/output.js'

/** Functions that load a command's module, by the name of the command. */
type CommandTable = Readonly<Record<string, () => Promise<CommandUnknownOpts>>>

/** All commands, in the order of the help. */
const commands: CommandTable = {
  train: async () => (await import('./commands/train.js')).trainCommand(),
  sweep: async () => (await import('./commands/sweep.js')).sweepCommand(),
  compare: async () => (await import('./commands/compare.js')).compareCommand(),
  best: async () => (await import('./commands/best.js')).bestCommand(),
  plot: async () => (await import('./commands/plot.js')).plotCommand(),
  eval: async () => (await import('./commands/eval.js')).evalCommand(),
  embed: async () => (await import('./commands/embed.js')).embedCommand(),
  export: async () => (await import('./commands/export.js')).exportCommand(),
  explore: async () => (await import('./commands/explore.js')).exploreCommand(),
  runs: async () => (await import('./commands/runs.js')).runsCommand(),
  watch: async () => (await import('./commands/watch.js')).watchCommand(),
  verify: async () => (await import('./commands/verify.js')).verifyCommand(),
  reproduce: async () => (await import('./commands/reproduce.js')).reproduceCommand(),
  data: async () => (await import('./commands/data.js')).dataCommand(),
  bench: async () => (await import('./commands/bench.js')).benchCommand(),
  doctor: async () => (await import('./commands/doctor.js')).doctorCommand(),
  setup: async () => (await import('./commands/setup.js')).setupCommand(),
  completion: async () => (await import('./commands/completion.js')).completionCommand(),
}

/** Commands that sweeps start themselves. The help does not list them. */
const internalCommands: CommandTable = {
  'sweep-job': async () => (await import('./commands/sweep-processes.js')).sweepJobCommand(),
  'sweep-runner': async () => (await import('./commands/sweep-processes.js')).sweepRunnerCommand(),
  'sweep-engine': async () => (await import('./commands/sweep-processes.js')).sweepEngineCommand(),
}

/**
 * Runs the command line and returns the exit code of the process. An error thrown by a timer, such as a lost lock, ends
 * the process at once, because nothing more may be written.
 */
export async function main(argv: readonly string[]): Promise<number> {
  endQuietlyWhenOutputCloses()
  process.once('uncaughtException', (error) => process.exit(writeFailure(error)))
  try {
    await (await program(argv[2])).parseAsync(argv)
    return 0
  } catch (error) {
    // commander has printed its message or the help already.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : exitCode.usage
    return writeFailure(error)
  }
}

/**
 * Returns the command line with the named command, or with all if none has the name. The other commands' modules are not
 * loaded, which shortens the start. The command "completion" prints all commands.
 */
export async function program(name?: string): Promise<CommandUnknownOpts> {
  const root = new Command('eigenae')
    .description(
      'Trains MNIST denoising autoencoders and compares how many of their dimensions the embeddings use',
    )
    .option('-V, --version', 'print the version and the engine that runs on this machine')
    .on('option:version', printVersion)
    // A command may have a --version of its own.
    .enablePositionalOptions()
    .hook('preAction', (_, command) => refuseEmptyValues(command))
    .addHelpText(
      'after',
      '\nExample:\n  eigenae train --config configs/eigen.json\n  eigenae compare runs/baseline runs/eigen --out comparison',
    )
  const all = { ...commands, ...internalCommands }
  const isOne = name !== undefined && name !== 'completion' && Object.hasOwn(all, name)
  const names = isOne ? [name] : Object.keys(all)
  for (const command of await Promise.all(names.map((each) => all[each]!())))
    root.addCommand(command, { hidden: Object.hasOwn(internalCommands, command.name()) })
  for (const command of withSubcommands(root)) {
    requireOptionsLast(command)
    command.configureHelp({ optionDescription }).configureOutput({
      writeOut: (text) => writeResult(text.trimEnd()),
      writeErr: (text) => writeMessage(text.trimEnd()),
    })
    command.exitOverride().showSuggestionAfterError().showHelpAfterError('(--help lists the options)')
  }
  return root
}

function withSubcommands(command: CommandUnknownOpts): readonly CommandUnknownOpts[] {
  return [command, ...command.commands.flatMap(withSubcommands)]
}

/** Describes an option as commander does, without the defaults "false" and "[]" of options that are off by default. */
function optionDescription(option: Option): string {
  const { defaultValue } = option
  const isOff = defaultValue === false || (Array.isArray(defaultValue) && defaultValue.length === 0)
  const described: Option = isOff ? Object.assign(Object.create(option), { defaultValue: undefined }) : option
  return new Help().optionDescription(described)
}

/**
 * Refuses empty flags and arguments, which an unset variable of a shell leaves. As a path, an empty value would mean
 * the working folder, and files in it would be replaced.
 */
function refuseEmptyValues(command: CommandUnknownOpts): void {
  const flags = command.options.map((option) => [
    option.long!,
    command.getOptionValue(option.attributeName()),
  ])
  // The last argument may be variadic.
  const named = command.args.map((value, index) => [
    (command.registeredArguments[index] ?? command.registeredArguments.at(-1))!.name(),
    value,
  ])
  for (const [subject, value] of [...flags, ...named])
    if (value === '') throw usageError({ problem: 'is empty', subject: String(subject) })
}

/**
 * Checks required options after unknown ones. commander does it the other way round, so that it reports a misspelt
 * required option as missing.
 */
function requireOptionsLast(command: CommandUnknownOpts): void {
  const required = command.options.filter(({ mandatory }) => mandatory)
  for (const option of required) option.makeOptionMandatory(false)
  command.hook('preAction', () => {
    const missing = required.find((option) => command.getOptionValue(option.attributeName()) === undefined)
    if (missing !== undefined) command.error(`error: required option '${missing.flags}' not specified`)
  })
}

/** Prints "eigenae 0.2.0 (native avx2, built here; node 20.20.2)". */
function printVersion(): never {
  writeResult(`eigenae ${version} (${processorEngine()}; node ${process.versions.node})`)
  throw new CommanderError(0, 'commander.version', '')
}

/** @throws a usage error if EIGENAE_ISA names none of the processor's instruction sets. */
function processorEngine(): string {
  try {
    const { name, variant, origin } = nativeEngine()
    return `${name} ${variant}, ${origin}`
  } catch (error) {
    if (!(error instanceof EigenaeError) || error.exit === exitCode.usage) throw error
    const variant = wasmVariant()
    return variant === null ? 'no engine runs here' : `wasm ${variant}`
  }
}
