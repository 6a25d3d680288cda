// What the first visit loads: index.html, the scripts and styles it names, what these import at once, and the same for the
// page that most people see first. Compressed, in KB.
import { readFileSync, readdirSync, statSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { brotliCompressSync, gzipSync } from 'node:zlib'

const dist = resolve(import.meta.dirname, '../dist')
const seen = new Set()
const visit = (file) => {
  if (seen.has(file)) return
  seen.add(file)
  const text = readFileSync(join(dist, file), 'utf8')
  const found = file.endsWith('.html')
    ? [...text.matchAll(/(?:src|href)="\/([^"]+)"/g)].map((m) => m[1])
    : [...text.matchAll(/(?:from|import)\s*["']\.\/([^"']+)["']/g)].map((m) => `assets/${m[1]}`)
  found.forEach(visit)
}
visit('index.html')
for (const file of readdirSync(join(dist, 'assets')).filter((f) => /^Overview-.*\.(js|css)$/.test(f))) visit(`assets/${file}`)
const kb = (n) => (n / 1024).toFixed(1)
let gzip = 0
let brotli = 0
for (const file of seen) {
  const bytes = readFileSync(join(dist, file))
  gzip += gzipSync(bytes, { level: 9 }).length
  brotli += brotliCompressSync(bytes).length
}
const all = readdirSync(dist, { recursive: true }).map((f) => join(dist, f)).filter((f) => statSync(f).isFile())
const total = all.reduce((sum, f) => sum + gzipSync(readFileSync(f)).length, 0)
console.log(`first load: ${seen.size} files, ${kb(gzip)} KB gzip, ${kb(brotli)} KB brotli; whole console: ${all.length} files, ${kb(total)} KB gzip`)
if (gzip > 300 * 1024) process.exit(1)
