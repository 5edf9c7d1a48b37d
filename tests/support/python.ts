import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'

const cache = join(import.meta.dirname, '../../node_modules/.cache')

/** Returns why Python is missing; null if it is installed. */
export function missingPython(): string | null {
  try {
    execFileSync('python3', ['-c', 'import ensurepip'], { stdio: 'ignore' })
    return null
  } catch {
    return 'no python3 with venv (Debian: apt-get install python3-venv)'
  }
}

/** Returns a Python with these packages from PyPI, in an environment that is created once and kept. */
export function pythonWith(packages: readonly string[]): string {
  const name = createHash('sha256').update(packages.join(' ')).digest('hex').slice(0, 12)
  const place = join(cache, `eigenae-python-${name}`)
  if (!existsSync(place)) {
    mkdirSync(cache, { recursive: true })
    const made = mkdtempSync(`${place}.`)
    try {
      execFileSync('python3', ['-m', 'venv', made])
      // Python compiles the modules that are imported, which are few of these packages' modules.
      execFileSync(pythonOf(made), ['-m', 'pip', 'install', '--quiet', '--no-compile', ...packages])
      renameSync(made, place)
    } finally {
      rmSync(made, { recursive: true, force: true })
    }
  }
  return pythonOf(place)
}

function pythonOf(environment: string): string {
  return join(environment, 'bin', 'python')
}

/** Returns why there is no Python with these packages; null if `pythonWith` returns one. */
export function missingPythonWith(packages: readonly string[]): string | null {
  const missing = missingPython()
  if (missing !== null) return missing
  try {
    pythonWith(packages)
    return null
  } catch (error) {
    return `pip cannot install ${packages.join(', ')} (${error})`
  }
}

/** Runs a program with the input on stdin and returns its output. */
export function runPython(python: string, program: string, cwd: string, input = ''): string {
  return execFileSync(python, ['-c', program], { cwd, input, encoding: 'utf8' })
}
