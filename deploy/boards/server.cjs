// Arena at /arena, bull-board at /board, over the queue QUEUE on REDIS_URL.
const { createBullBoard } = require('@bull-board/api')
const { BullMQAdapter } = require('@bull-board/api/bullMQAdapter')
const { ExpressAdapter } = require('@bull-board/express')
const Arena = require('bull-arena')
const { Queue } = require('bullmq')
const express = require('express')

const name = process.env.QUEUE ?? 'images'
const url = new URL(process.env.REDIS_URL ?? 'redis://127.0.0.1:6379/0')
const connection = {
  host: url.hostname,
  port: Number(url.port || 6379),
  db: Number(url.pathname.slice(1) || 0),
  ...(url.username && { username: decodeURIComponent(url.username) }),
  ...(url.password && { password: decodeURIComponent(url.password) }),
  ...(url.protocol === 'rediss:' && { tls: {} }),
}

const board = new ExpressAdapter()
board.setBasePath('/board')
createBullBoard({ queues: [new BullMQAdapter(new Queue(name, { connection }))], serverAdapter: board })

const app = express()
app.use('/board', board.getRouter())
const queues = [{ type: 'bullmq', name, hostId: 'pixelmill', redis: connection }]
app.use('/arena', Arena({ BullMQ: Queue, queues }, { disableListen: true }))
app.get('/', (request, response) => response.redirect('/arena'))
const listening = app.listen(Number(process.env.PORT ?? 9000), process.env.HOST ?? '0.0.0.0', () =>
  console.log(`listening on ${listening.address().port}`),
)
