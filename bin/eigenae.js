#!/usr/bin/env node
import { main } from '../dist/bundled/cli.js'

process.exitCode = await main(process.argv)
