// Arena over the queue `images`: `node arena.cjs REDIS_URL` prints the port that it listens on.
const Arena = require('bull-arena')
const { Queue } = require('bullmq')
const express = require('express')

const { hostname, port } = new URL(process.argv[2])
const redis = { host: hostname, port: Number(port) }
const queues = [{ type: 'bullmq', name: 'images', hostId: 'valkey', redis }]
const app = express()
app.use('/board', Arena({ BullMQ: Queue, queues }, { disableListen: true }))
const listening = app.listen(0, '127.0.0.1', () => console.log(listening.address().port))
