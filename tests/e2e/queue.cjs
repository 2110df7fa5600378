// A Node service's side of the queue: `node queue.cjs PACKAGE REDIS_URL '{"data": …} or {"retry": "7"}'`.
// Prints one line of JSON: the job's id, and what it returned or why it failed.
const [name, url, asked] = process.argv.slice(2)
const { Queue, QueueEvents, Job } = require(name)

async function main() {
  const { data, retry, job: jobName = 'process', options = {} } = JSON.parse(asked)
  const { hostname, port } = new URL(url)
  const connection = { host: hostname, port: Number(port), maxRetriesPerRequest: null }
  const queue = new Queue('images', { connection })
  // From now on: it says it is ready before it listens, and a job may fail within three milliseconds.
  const events = new QueueEvents('images', { connection, lastEventId: `${Date.now()}-0` })
  await events.waitUntilReady()
  const job = retry ? await Job.fromId(queue, retry) : await queue.add(jobName, data, options)
  if (retry) await job.retry('failed')
  const answer = { id: job.id }
  try {
    answer.value = await job.waitUntilFinished(events, 120000)
  } catch (error) {
    answer.failed = error.message
  }
  console.log(JSON.stringify(answer))
  await events.close()
  await queue.close()
  process.exit(0)
}

main()
