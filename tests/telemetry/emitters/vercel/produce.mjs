// Drive the AI SDK of one major version with its telemetry on; see produce.py for the scenarios.
//
//   node produce.mjs PRODUCER PROVIDER_URL OTLP_ENDPOINT [HEADER=VALUE …]
//
// PRODUCER is VERSION-PROVIDER: 4-openai … 7-anthropic, or 7legacy-… for the older span shape that 7 still offers.
import { trace } from "@opentelemetry/api";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-proto";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { BatchSpanProcessor, NodeTracerProvider } from "@opentelemetry/sdk-trace-node";

const [producer, url, endpoint, ...given] = process.argv.slice(2);
const headers = Object.fromEntries(given.map((header) => header.split(/=(.*)/s, 2)));
const [version, vendor] = producer.split("-");
const major = version.replace("legacy", "");

const provider = new NodeTracerProvider({
  resource: resourceFromAttributes({ "service.name": "sample-app", "deployment.environment.name": "test" }),
  spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter({ url: `${endpoint}/v1/traces`, headers }))],
});
provider.register();

const ai = await import(`ai-${major}`);
if (major === "7") {
  const otel = await import("otel-7");
  ai.registerTelemetry(version === "7" ? new otel.OpenTelemetry() : new otel.LegacyOpenTelemetry());
}
const vendors = await import(`${vendor}-${major}`);
const client =
  vendor === "openai"
    ? vendors.createOpenAI({ apiKey: "none", baseURL: `${url}/v1` })
    : vendors.createAnthropic({ apiKey: "none", baseURL: `${url}/v1` });
const model = vendor === "openai" ? (name) => client.chat(name) : (name) => client(name);
const MODEL = vendor === "openai" ? "gpt-4o-mini" : "claude-sonnet-4-5";
const LIMIT = major === "4" ? "maxTokens" : "maxOutputTokens";
const TELEMETRY = major === "7" ? "telemetry" : "experimental_telemetry";

const weather = {
  description: "Weather",
  [major === "4" ? "parameters" : "inputSchema"]: ai.jsonSchema({
    type: "object",
    properties: { city: { type: "string" } },
  }),
  execute: async ({ city }) => `sunny in ${city}`,
};

const request = (name, more = {}) => ({
  model: model(MODEL),
  [major === "7" ? "instructions" : "system"]: "be brief",
  prompt: "hi",
  temperature: 0.1,
  [LIMIT]: 10,
  maxRetries: 0,
  [TELEMETRY]: { isEnabled: true, functionId: `function-${name}` },
  ...more,
});

const drained = async (result) => {
  let text = "";
  for await (const piece of result.textStream) text += piece;
  if (text !== "Hello") throw new Error(`the stream said ${text}`);
};
const scenarios = {
  chat: () => ai.generateText(request("chat")),
  tools: () => ai.generateText(request("tools", { tools: { get_weather: weather } })),
  stream: () => drained(ai.streamText(request("stream"))),
  "rate-limited": () => ai.generateText(request("rate-limited", { model: model("rate-limited") })),
  broken: () => ai.generateText(request("broken", { model: model("broken") })),
};
if (vendor === "openai") {
  const embedding = client.textEmbeddingModel ?? client.embedding;
  scenarios.embeddings = () =>
    ai.embed({
      model: embedding.call(client, "text-embedding-3-small"),
      value: "hi",
      maxRetries: 0,
      [TELEMETRY]: { isEnabled: true, functionId: "function-embeddings" },
    });
  scenarios.responses = () => ai.generateText(request("responses", { model: client.responses(MODEL) }));
}

const tracer = trace.getTracer("sample.app");
for (const [name, run] of Object.entries(scenarios)) {
  const attributes = { "holdfast.route": name, "session.id": `session-${name}` };
  await tracer.startActiveSpan(`scenario ${name}`, { attributes }, async (span) => {
    try {
      await run();
    } catch (failure) {
      if (name !== "rate-limited" && name !== "broken") throw failure;
    } finally {
      span.end();
    }
  });
}
await provider.shutdown();
