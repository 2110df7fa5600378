import type { IncomingMessage } from "node:http";
import tailwindcss from "@tailwindcss/vite";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

// `npm run dev` serves the pages with hot reload and passes everything else to a running `pixelmill serve`.
const service = process.env["PIXELMILL_URL"] ?? "http://127.0.0.1:3000";
const api = ["/process-images", "/batches", "/jobs", "/images", "/presets", "/recipes", "/queue", "/workers", "/stats"];
const more = ["/events", "/dead-letters", "/uploads", "/shares", "/session", "/audit", "/docs", "/openapi.json"];

export default defineConfig({
  plugins: [react(), tailwindcss()],
  build: {
    outDir: "../src/pixelmill/web/dist",
    emptyOutDir: true,
    target: "es2022",
    // The pages run under a policy that forbids everything inline, data: fonts and data: scripts included.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: true,
  },
  server: {
    proxy: Object.fromEntries(
      [...api, ...more].map((path) => [
        path,
        {
          target: service,
          // A page and a resource share an address (/batches/ID): what asks for HTML is a person.
          bypass: (request: IncomingMessage) =>
            request.headers.accept?.startsWith("text/html") && path !== "/docs" ? "/index.html" : undefined,
        },
      ]),
    ),
  },
  test: { environment: "happy-dom", include: ["src/**/*.test.{ts,tsx}"] },
});
