import type { Command } from 'commander'
import { usageError } from '../errors.js'

/**
 * Refuses flags and arguments without a value, as an unset variable of a shell leaves them: as a path they would mean the
 * working folder, and what is in it would be replaced.
 */
export function refuseEmptyValues(command: Command): void {
  const flags = command.options.map((option) => [
    option.long!,
    command.getOptionValue(option.attributeName()),
  ])
  const places = command.registeredArguments.map((argument, index) => [argument.name(), command.args[index]])
  for (const [where, value] of [...flags, ...places])
    if (value === '') throw usageError({ what: 'is empty', where: String(where) })
  if (command.args.includes('')) throw usageError({ what: 'one of the arguments is empty' })
}
