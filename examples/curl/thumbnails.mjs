// A thumbnail of a photo, by Node 20 or newer without any package: node thumbnails.mjs photo.jpg
import { openAsBlob } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { basename } from 'node:path'

const service = process.env.PIXELMILL_URL ?? 'http://127.0.0.1:3000'
const key = process.env.PIXELMILL_API_KEY

async function ask(path, options = {}) {
  const headers = { ...options.headers, ...(key && { Authorization: `Bearer ${key}` }) }
  const answer = await fetch(service + path, { ...options, headers })
  if (!answer.ok) throw new Error((await answer.json()).detail)
  return answer
}

const form = new FormData()
form.append('preset', 'thumbnail')
form.append('images', await openAsBlob(process.argv[2]), basename(process.argv[2]))
const headers = { 'Idempotency-Key': `"${crypto.randomUUID()}"` }
const { statusUrl } = await (await ask('/process-images', { method: 'POST', headers, body: form })).json()

let batch
do {
  const answer = await ask(statusUrl)
  batch = await answer.json()
  if (answer.headers.has('Retry-After')) await new Promise((done) => setTimeout(done, 1000))
} while (batch.status === 'waiting' || batch.status === 'processing')

for (const file of batch.files)
  for (const variant of file.variants.filter((one) => one.url)) {
    const name = `${file.jobId}-${variant.name}`
    await writeFile(name, Buffer.from(await (await ask(variant.url)).arrayBuffer()))
    console.log(name)
  }
