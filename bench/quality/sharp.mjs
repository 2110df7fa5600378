// Sharp encodes one picture at many settings: node sharp.mjs FOLDER-WITH-node_modules PICTURE.png OUT-FOLDER '[["name", "jpeg", {…}], …]'
import { createRequire } from 'node:module'
import fs from 'node:fs'
const [folder, picture, out, jobs] = process.argv.slice(2)
const sharp = createRequire(`${folder}/`)('sharp')
sharp.concurrency(1)
const data = fs.readFileSync(picture), times = {}
for (const [name, format, options] of JSON.parse(jobs)) {
  const cpu = process.cpuUsage()
  const made = await sharp(data)[format](options).toBuffer()
  const used = process.cpuUsage(cpu)
  times[name] = (used.user + used.system) / 1e6
  fs.writeFileSync(`${out}/${name}`, made)
}
console.log(JSON.stringify(times))
