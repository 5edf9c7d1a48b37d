import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'

const cache = join(import.meta.dirname, '../../node_modules/.cache')

/** Returns why Python is missing; null if it is installed. Throws on CI; elsewhere the tests are skipped. */
export function missingPython(testFile: string): string | null {
  try {
    execFileSync('python3', ['-c', 'import ensurepip'], { stdio: 'ignore' })
    return null
  } catch {
    const reason = 'no python3 with venv (Debian: apt-get install python3-venv)'
    if (process.env.CI) throw new Error(reason)
    console.warn(`${testFile} is skipped: ${reason}`)
    return reason
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
      execFileSync(pythonOf(made), ['-m', 'pip', 'install', '--quiet', ...packages])
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

/** As `pythonWith`, but returns null, with a message, if the packages cannot be installed. Throws on CI. */
export function pythonIfInstallable(packages: readonly string[], testFile: string): string | null {
  if (missingPython(testFile) !== null) return null
  try {
    return pythonWith(packages)
  } catch (error) {
    if (process.env.CI) throw error
    console.warn(`${testFile} is skipped: pip cannot install ${packages.join(', ')}`)
    return null
  }
}

/** Runs a program with the input on stdin and returns its output. */
export function runPython(python: string, program: string, cwd: string, input = ''): string {
  return execFileSync(python, ['-c', program], { cwd, input, encoding: 'utf8' })
}
