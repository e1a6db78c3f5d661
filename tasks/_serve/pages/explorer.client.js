// The page of /docs: every request of /openapi.json with a form that sends it. Texts are set as text, never as HTML.

/** An element with properties and children. */
function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children.filter((child) => child !== undefined));
  return made;
}

const description = readJson("/openapi.json");
description.then(show, (error) => {
  document.getElementById("requests").replaceChildren(
    element("p", {}, `Cannot read /openapi.json: ${error}`),
  );
});

async function readJson(path) {
  const response = await fetch(path);
  if (!response.ok) throw new Error(`status ${response.status}`);
  return await response.json();
}

function show(api) {
  document.getElementById("about").textContent = `${api.info.description}, version ${api.info.version}`;
  document.getElementById("access").hidden = api.security === undefined;
  const requests = Object.entries(api.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => request(api, path, method, operation))
  );
  document.getElementById("requests").replaceChildren(...requests);
}

/** The schema that a reference stands for. */
function resolved(api, schema) {
  const name = schema?.$ref?.split("/").at(-1);
  return name === undefined ? schema : api.components.schemas[name];
}

function request(api, path, method, operation) {
  const inputs = (operation.parameters ?? []).map((parameter) => ({
    parameter,
    input: element("input", {
      required: parameter.required === true,
      placeholder: String(parameter.schema.default ?? ""),
      size: 40,
    }),
  }));
  const schema = resolved(api, operation.requestBody?.content["application/json"].schema);
  const body = schema && element("textarea", { rows: 12, spellcheck: false, value: exampleOf(schema) });
  const status = element("p", { role: "status", className: "quiet" }),
    answer = element("pre", { hidden: true, tabIndex: 0 });
  const form = element(
    "form",
    {},
    ...inputs.map(({ parameter, input }) =>
      element(
        "label",
        {},
        `${parameter.name}: ${parameter.schema.description ?? parameter.description ?? ""}`,
        input,
      )
    ),
    body && element("label", {}, "Body", body),
    element("button", {}, "Send"),
  );
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const filled = inputs.filter(({ input }) => input.value !== "");
    const inPath = filled.filter(({ parameter }) => parameter.in === "path").reduce(
      (url, { parameter, input }) => url.replace(`{${parameter.name}}`, encodeURIComponent(input.value)),
      path,
    );
    const query = new URLSearchParams(
      filled.filter(({ parameter }) => parameter.in === "query").map((
        { parameter, input },
      ) => [parameter.name, input.value]),
    ).toString();
    const token = document.getElementById("token").value;
    const start = performance.now();
    try {
      const response = await fetch(inPath + (query && `?${query}`), {
        method: method.toUpperCase(),
        headers: {
          ...(body && { "Content-Type": "application/json" }),
          ...(token !== "" && { Authorization: `Bearer ${token}` }),
        },
        ...(body && { body: body.value }),
      });
      const text = await response.text();
      status.textContent = `${response.status} ${response.statusText}, ${
        Math.round(performance.now() - start)
      } ms`;
      answer.textContent = pretty(text);
      answer.hidden = false;
    } catch (error) {
      status.textContent = `No answer: ${error.message}`;
      answer.hidden = true;
    }
  });
  return element(
    "details",
    { className: "request" },
    element(
      "summary",
      {},
      element("span", { className: "method" }, method.toUpperCase()),
      element("b", {}, path),
      ` ${operation.summary ?? ""}`,
    ),
    form,
    schema && element("h3", {}, "Fields of the body"),
    schema && fields(api, schema),
    status,
    answer,
  );
}

function fields(api, schema) {
  const list = element("dl");
  for (const [name, field] of Object.entries(schema.properties ?? {})) {
    const { description = "", ...rest } = resolved(api, field);
    const usual = rest.default === undefined ? "" : ` (default: ${JSON.stringify(rest.default)})`;
    list.append(element("dt", {}, name), element("dd", {}, description + usual));
  }
  return list;
}

/** A body to start from: the examples of the fields that have one, and the defaults of others. */
function exampleOf({ properties = {} }) {
  const shown = Object.entries(properties).flatMap(([name, field]) => {
    const value = field.example ?? field.default;
    return value === undefined ? [] : [[name, value]];
  });
  return JSON.stringify(Object.fromEntries(shown), null, 2);
}

function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}
