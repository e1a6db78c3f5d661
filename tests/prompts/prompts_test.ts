// Frames and files of other systems, in words of our own.
import assert from "node:assert/strict";
import { alignmentTask } from "../../prompts/tasks/by_name.ts";
import { chatTemplates, genrecTemplates } from "../../prompts/built_in.ts";
import { parseTemplates, type Templates } from "../../prompts/template.ts";
import { END, promptsOf, tinyTokenizer } from "./workshop.ts";

const nextItem = alignmentTask("next-item"), titlesToSid = alignmentTask("titles-to-sid");
const TOKENS = ["<a_1>", "<b_2>", "<b_9>"];
const history = ["<a_1><b_2>", "<a_1><b_9>"];
const decoded = (ids: Uint32Array | undefined, tokenizer: Awaited<ReturnType<typeof tinyTokenizer>>) =>
  tokenizer.decode(ids!, true);

Deno.test("our own words are few", async () => {
  const tokenizer = await tinyTokenizer(...TOKENS), prompts = promptsOf(tokenizer);
  const prompt = prompts.prompt(nextItem, { history });
  assert.equal(decoded(prompt, tokenizer), "Next item\n<a_1><b_2><a_1><b_9>\n");
  assert.equal(decoded(prompts.target(nextItem, { sid: history[0] }), tokenizer), `<a_1><b_2>${END}`);
});

const THREE_PARTS = `
name: three parts
system: Here is a job and what it is about.
frame:
  prompt:
    - "{system}\\n\\n### Job:\\n{instruction}\\n\\n"
    - "### About: \\n{input}\\n\\n### Result:\\n"
  target: "{output}\\n{eos}"
tasks:
  next-item:
    instruction: ["Which {category} follows?", "Guess the {category}"]
    input: "Until now {history}; and then?"
    output: "{sid}"
  titles-to-sid:
    input: "{titles}"
    output: "{sid}"
    entry: '"{}"'
    join: ",\\t"
`;

Deno.test("a frame of MiniOneRec's kind: three parts, each made tokens by itself, and a line end before the end of text", async () => {
  const tokenizer = await tinyTokenizer(...TOKENS);
  const prompts = promptsOf(tokenizer, {
    templates: parseTemplates(THREE_PARTS, "x.yaml"),
    category: "tools",
  });
  const parts = [
    "Here is a job and what it is about.\n\n### Job:\nWhich tools follows?\n\n",
    "### About: \nUntil now <a_1><b_2>, <a_1><b_9>; and then?\n\n### Result:\n",
  ];
  const ids = parts.flatMap((part) => [...tokenizer.encode(part)]);
  assert.deepEqual([...prompts.prompt(nextItem, { history })!], ids);
  assert.deepEqual([...prompts.target(nextItem, { sid: history[1] })], [
    ...tokenizer.encode(`<a_1><b_9>\n${END}`),
  ]);
  assert.match(decoded(prompts.prompt(nextItem, { history }, 1), tokenizer), /Guess the tools/);
  assert.deepEqual(prompts.prompt(nextItem, { history }, 2), prompts.prompt(nextItem, { history }, 0));
  const titles = prompts.prompt(titlesToSid, { titles: ["Hex nut", "Bob's bolt"] });
  assert.match(decoded(titles, tokenizer), /About: \n"Hex nut",\t"Bob's bolt"\n/);
});

Deno.test("parts are made tokens apart: a token never reaches over their border", async () => {
  const tokenizer = await tinyTokenizer();
  const templates = (prompt: string[]): Templates => ({
    name: "p",
    frame: { prompt },
    tasks: { "title-to-sid": { input: "{title}", output: "{sid}" } },
  });
  const of = (prompt: string[]) =>
    promptsOf(tokenizer, { templates: templates(prompt) }).prompt(alignmentTask("title-to-sid"), {
      title: "ex",
    })!;
  assert.deepEqual([...of(["h", "{input}"])], [...tokenizer.encode("h"), ...tokenizer.encode("ex")]);
  assert.deepEqual([...of(["h{input}"])], [...tokenizer.encode("hex")]);
  assert.notDeepEqual(of(["h", "{input}"]), of(["h{input}"]));
});

Deno.test("a frame of MIMIGenRec's kind: ChatML spelt out, the line after its end with a loss", async () => {
  const tokenizer = await tinyTokenizer(...TOKENS, "<|im_start|>", "<|im_end|>");
  const templates: Templates = {
    name: "spelt",
    system: "You answer.",
    frame: {
      prompt: [
        "<|im_start|>system\n{system}<|im_end|>\n<|im_start|>user\n{message}<|im_end|>\n<|im_start|>assistant\n",
      ],
      target: "{output}<|im_end|>\n",
    },
    tasks: { "next-item": { instruction: "What is next?", input: "Seen: {history}", output: "{sid}" } },
  };
  const prompts = promptsOf(tokenizer, { templates });
  assert.equal(
    decoded(prompts.prompt(nextItem, { history }), tokenizer),
    "<|im_start|>system\nYou answer.<|im_end|>\n<|im_start|>user\nWhat is next?\n" +
      "Seen: <a_1><b_2>, <a_1><b_9><|im_end|>\n<|im_start|>assistant\n",
  );
  assert.equal(decoded(prompts.target(nextItem, { sid: history[0] }), tokenizer), "<a_1><b_2><|im_end|>\n");
  // The chat template of a checkpoint that says the same gives the same.
  const rendered = promptsOf(tokenizer, {
    templates: { ...templates, frame: "chat" },
    tokenizerConfig: {
      chat_template:
        "{%- for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n" +
        "{% endfor %}{%- if add_generation_prompt %}<|im_start|>assistant\n{% endif %}",
    },
  });
  assert.deepEqual(rendered.prompt(nextItem, { history }), prompts.prompt(nextItem, { history }));
  assert.deepEqual(
    rendered.target(nextItem, { sid: history[0] }),
    prompts.target(nextItem, { sid: history[0] }),
  );
});

Deno.test("rows of a file keep their words, with a system text only where they have one", async () => {
  const tokenizer = await tinyTokenizer(...TOKENS);
  const template = "{% for m in messages %}[{{ m.role }}]{{ m.content | trim }};{% endfor %}" +
    "{% if add_generation_prompt %}[assistant]{% endif %}";
  const prompts = promptsOf(tokenizer, {
    templates: chatTemplates,
    tokenizerConfig: { chat_template: template },
  });
  const rows = alignmentTask("rows");
  const row = { system: "Be brief {so}", instruction: "Do", input: "it: <a_1>" };
  assert.equal(
    decoded(prompts.prompt(rows, row), tokenizer),
    "[system]Be brief {so};[user]Do\nit: <a_1>;[assistant]",
  );
  const bare = { system: "", instruction: "", input: "it" };
  assert.equal(decoded(prompts.prompt(rows, bare), tokenizer), "[user]it;[assistant]");
  assert.equal(decoded(prompts.target(rows, { output: "<b_2>" }), tokenizer), "<b_2>;");
});

Deno.test("a tokenizer that begins texts begins prompts, but not those of a chat template, which does so itself", async () => {
  const tokenizer = await tinyTokenizer("[BOS]", ...TOKENS);
  const special = { bos: tokenizer.idOf("[BOS]")!, eos: tokenizer.idOf(END)!, pad: 0 };
  const text = (templates: Templates) => {
    const tokenizerConfig = {
      chat_template: "{{ bos_token }}{% for m in messages %}|{{ m.content }}{% endfor %}",
    };
    const prompts = promptsOf(tokenizer, { templates, special, tokenizerConfig });
    return decoded(prompts.prompt(nextItem, { history: ["<a_1>"] }), tokenizer);
  };
  assert.equal(text(genrecTemplates), "[BOS]Next item\n<a_1>\n");
  assert.equal(text(chatTemplates), "[BOS]|Next item\n<a_1>");
});

Deno.test("prompts of a chat template are the same on every day", async () => {
  const tokenizer = await tinyTokenizer(...TOKENS);
  const chat_template =
    "{{ strftime_now('%d %b %Y') }} {{ date_string }}: {% for m in messages %}{{ m.content }}{% endfor %}";
  const prompts = promptsOf(tokenizer, {
    templates: chatTemplates,
    tokenizerConfig: { chat_template },
  });
  const text = decoded(prompts.prompt(nextItem, { history: ["<a_1>"] }), tokenizer);
  assert.equal(text, "26 Jul 2024 26 Jul 2024: Next item\n<a_1>");
});

Deno.test("a prompt without room loses the oldest of its history, and never its instruction", async () => {
  const tokenizer = await tinyTokenizer(...TOKENS), prompts = promptsOf(tokenizer);
  const long = { history: ["<a_1>", "<b_2>", "<b_9>", "<a_1><b_2>"] };
  const whole = prompts.prompt(nextItem, long)!;
  assert.deepEqual(prompts.prompt(nextItem, long, 0, whole.length), whole);
  assert.equal(
    decoded(prompts.prompt(nextItem, long, 0, whole.length - 2), tokenizer),
    "Next item\n<b_9><a_1><b_2>\n",
  );
  assert.equal(
    decoded(prompts.prompt(nextItem, long, 0, whole.length - 3), tokenizer),
    "Next item\n<a_1><b_2>\n",
  );
  assert.equal(prompts.prompt(nextItem, long, 0, whole.length - 4), undefined);
  assert.equal(prompts.prompt(alignmentTask("sid-to-title"), { sid: "<a_1>" }, 0, 3), undefined);
});

Deno.test("templates that would put the answer into the prompt, or that are incomplete, are refused", async () => {
  const tokenizer = await tinyTokenizer();
  const make = (change: object) => () =>
    promptsOf(tokenizer, { templates: { ...genrecTemplates, ...change } as Templates });
  const cases: [object, RegExp][] = [
    [
      { tasks: { "next-item": { input: "{history} {sid}", output: "{sid}" } } },
      /next-item\.input: found "\{sid\}", expected \{history\}/,
    ],
    [
      { tasks: { "sid-to-title": { input: "{sid} {title}", output: "{title}" } } },
      /sid-to-title\.input: found "\{title\}"/,
    ],
    [{ tasks: { "next-item": { input: "{history}" } } }, /field tasks\.next-item\.output/],
    [{ tasks: { "next-items": { input: "{history}", output: "{sid}" } } }, /task "next-items".*next-item, /],
    [
      { tasks: { "next-item": { input: "{history}", output: "{sid}", entry: "x" } } },
      /next-item\.entry: found "x"/,
    ],
    [{ frame: { prompt: ["{instruction}"] } }, /frame\.prompt lacks \{input\}/],
    [{ frame: { prompt: ["{input}"], target: "{eos}" } }, /frame\.target lacks \{output\}/],
    [{ frame: { prompt: ["{input}"], ending: "" } }, /field frame/],
    [{ frame: "chat" }, /no chat template/],
  ];
  for (const [change, message] of cases) {
    assert.throws(make(change), { name: "UserError", message }, String(message));
  }
  assert.throws(() => parseTemplates("a: [", "my.yaml"), {
    name: "UserError",
    message: /^Cannot read prompts my\.yaml as YAML: .* at line 1, column 5/,
  });
  assert.throws(
    () =>
      promptsOf(tokenizer, { templates: { ...genrecTemplates, tasks: {} } }).prompt(nextItem, { history }),
    { name: "UserError", message: /Cannot word task next-item/ },
  );
});

Deno.test("a dialogue goes on in the frame, without system and instruction, where a chat template can", async () => {
  const tokenizer = await tinyTokenizer();
  const text = (templates: Templates, chat_template?: string) => {
    const prompts = promptsOf(tokenizer, { templates, tokenizerConfig: { chat_template } });
    return tokenizer.decode(prompts.followUp(nextItem, { turn: "and red" }), true);
  };
  assert.equal(text(genrecTemplates), "and red\n");
  const turns = "{% for m in messages %}{{ m.role[0] }}:{{ m.content }}|{% endfor %}";
  const ask = "{% if add_generation_prompt %}a:{% endif %}";
  assert.equal(text(chatTemplates, turns + ask), "u:and red|a:");
  const answeredOtherwise = turns.replace("|", "{{ '!' if loop.last and m.role == 'assistant' }}|");
  for (
    const template of [
      answeredOtherwise + ask,
      `{% if messages[2] %}{{ raise_exception('no') }}{% endif %}` + turns + ask,
    ]
  ) {
    assert.throws(() => text(chatTemplates, template), {
      name: "UserError",
      message: /in several turns: the chat template .* Say one turn alone/,
    });
  }
});

Deno.test("chat templates that change what is said are refused", async () => {
  const tokenizer = await tinyTokenizer();
  const templates: [string, RegExp][] = [
    ["{% for m in messages %}{{ m.role }}{% endfor %}", /leaves out or repeats/],
    ["{% if add_generation_prompt %}?{% endif %}{{ messages[0].content }}", /does not begin where/],
    ["{{ raise_exception('no users here') }}", /it fails with .*no users here/],
  ];
  for (const [chat_template, message] of templates) {
    const options = { templates: chatTemplates, tokenizerConfig: { chat_template } };
    assert.throws(() => promptsOf(tokenizer, options), { name: "UserError", message });
  }
});
