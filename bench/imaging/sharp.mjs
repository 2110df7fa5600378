// Sharp: node sharp.mjs FOLDER-WITH-node_modules TASK ROUNDS FILE… prints one line of JSON.
// One image at a time on one thread; several variants are made separately, each from the file, as the seeds do.
import { createRequire } from 'node:module'
import fs from 'node:fs'
const [folder, task, rounds, ...files] = process.argv.slice(2)
const sharp = createRequire(`${folder}/`)('sharp')
sharp.concurrency(1)
sharp.cache(false)
const open = data => sharp(data).rotate()
const q80 = { quality: 80 }
const wide = data => open(data).resize(1080)
const six = [
  d => open(d).resize(1080, 1080, { fit: 'cover' }).jpeg(q80),
  d => open(d).resize(1080, 566, { fit: 'cover' }).jpeg(q80),
  d => open(d).resize(1200, 630, { fit: 'cover' }).jpeg(q80),
  d => open(d).resize(1080).blur(10).jpeg(q80),
  d => open(d).resize(1080).grayscale().jpeg(q80),
  d => open(d).resize(256).webp(q80),
]
const tasks = {
  one: [d => open(d).resize(512).grayscale().jpeg(q80)],
  'one-colour': [d => open(d).resize(512).jpeg(q80)],
  six, 'six-facts': six,
  jpeg: [d => wide(d).jpeg(q80)],
  png: [d => wide(d).png()],
  webp: [d => wide(d).webp(q80)],
  avif: [d => wide(d).avif({ quality: 50, effort: 2 })],
  gif: [d => wide(d).gif({ effort: 4 })],
  tiff: [d => wide(d).tiff({ compression: 'deflate' })],
}
if (!tasks[task]) { console.log('{}'); process.exit(0) }
const data = files.map(file => fs.readFileSync(file))
let bytes = 0
const all = async d => { for (const make of tasks[task]) bytes += (await make(d).toBuffer()).length }
await all(data[0])
bytes = 0
const cpu = process.cpuUsage(), started = performance.now()
for (let round = 0; round < rounds; round++) for (const d of data) await all(d)
const used = process.cpuUsage(cpu), images = rounds * data.length
console.log(JSON.stringify({
  wall: (performance.now() - started) / 1e3 / images, cpu: (used.user + used.system) / 1e6 / images,
  peak: process.resourceUsage().maxRSS * 1024, bytes: bytes / images,
}))
