// Writes the JSON Schemas of configs/ from the schemas in src/config/: npm run schema
import { writeFile } from 'node:fs/promises'
import { jsonSchema } from '../dist/config/schema.js'
import { sweepJsonSchema } from '../dist/config/sweep.js'

const write = (name, schema) =>
  writeFile(new URL(`../configs/${name}`, import.meta.url), `${JSON.stringify(schema, null, 2)}\n`)
await write('schema.json', jsonSchema())
await write('sweeps/schema.json', sweepJsonSchema())
