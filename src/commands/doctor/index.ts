import { Command } from 'commander'
import { doctor } from './doctor.js'

export function doctorCommand(): Command {
  return new Command('doctor')
    .description('List the devices that can train and how to fix the others')
    .option('--json', 'print what was found as JSON', false)
    .addHelpText('after', '\nExits with 1 where no device can train.\n\nExample:\n  eigenae doctor')
    .action(doctor)
}
