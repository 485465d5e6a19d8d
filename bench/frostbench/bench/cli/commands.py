"""The commands, and their help."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Command:
    """One command: where it is implemented, how it is written, and what it does."""

    target: str
    usage: str
    summary: str
    details: str = ""


COMMANDS = {
    "list": Command(
        "listing:list_command",
        "list [KIND] [--json]",
        "Show methods, tasks, metrics, controls, packs, data sets, backbones, engines, recipes.",
        "KIND is one of methods, suites, tasks, metrics, controls, packs, datasets, backbones,\n"
        "engines, presets, recipes, converters, left_out. plugins=[FILE.py] adds single-file\n"
        "plugins, plugins.disabled=[NAME] leaves installed ones out.",
    ),
    "run": Command(
        "run:run_command",
        "run [KEY=VALUE ...]",
        "Run methods on suites; resumes where it was stopped.",
        "Keys: preset pack llm suites methods tasks limit out seed device devices workers\n"
        "launcher address lease memory isolate dtype controls plugins cache chunk gallery quiet\n"
        "retry_failed again most_waves most_seconds error_length trackers tracker.NAME.KEY\n"
        "config=FILE plugins.disabled, limits.SUITE=N, engine.token_budget,\n"
        "method.NAME.KEY, method.NAME.weights=FOLDER, task.NAME.KEY, metric_weights.NETWORK=FILE,\n"
        "backbone.ROLE.KEY, data.NAME=READER:FOLDER (data.images=FOLDER: your own images).\n"
        "tasks=lmms:NAME is a task of lmms-eval, whose documents lie in data.lmms=FOLDER.\n"
        "Lists: a,b or [a,b]. isolate=true runs each method in a process of its own, which holds\n"
        "frozen models and requests, no target and no other method; no number changes.\n\n"
        "  frostbench run methods=v2l tasks=inpainting limit=8 out=runs/try\n"
        "  frostbench run devices=cuda:0,cuda:1 out=runs/both      # a worker on each card\n"
        "  frostbench run launcher=ray device=cuda out=/shared/runs/all    # on a Ray cluster\n"
        "  frostbench run llm=llama out=runs/llama     # another frozen language model\n"
        "  frostbench run data.images=photos tasks=reconstruction out=runs/photos\n"
        "  frostbench run plugins=[my_method.py] methods=my_method,v2l out=runs/mine\n"
        "  frostbench run preset=v2l-table1 data.v2l_episodes=FOLDER out=runs/table1",
    ),
    "work": Command(
        "work:work_command",
        "work RUN [KEY=VALUE ...]",
        "Join a run that is at work, from this machine or another that sees its folder.",
        "It takes chunks that nobody has until none is left. A worker whose process dies, or that\n"
        "gives no sign of life for lease=60 seconds, loses its chunk to the others.\n"
        "Keys: worker device threads memory cache lease plugins plugins.disabled.\n\n"
        "  frostbench run out=/shared/runs/all\n"
        "  frostbench work /shared/runs/all device=cuda:1      # in another terminal, or elsewhere",
    ),
    "watch": Command(
        "watch:watch_command",
        "watch RUN [once=true] [out=FOLDER]",
        "Show how far a run is while it runs: tasks, workers, rates, intervals, time left.",
        "It reads the run's folder and never writes into it. out=FOLDER writes watch.html, which\n"
        "loads itself again. every=2 are the seconds between two looks; lease=60 those without a\n"
        "sign of life after which a worker counts as silent. Piped, it is lines; once=true looks\n"
        "a single time.\n\n"
        "  frostbench watch runs/all\n"
        "  frostbench watch runs/all once=true out=watched",
    ),
    "track": Command(
        "track:track_command",
        "track RUN trackers=NAME [tracker.NAME.KEY=VALUE ...]",
        "Pass a run on to trackio, wandb or MLflow: curves by task, and samples with images.",
        "`frostbench run trackers=NAME` does it while the run goes on. Nothing leaves this\n"
        "machine unless tracker.NAME.to names a place: a Space or server (trackio), online\n"
        "(wandb), a tracking URI (mlflow). Keys of a tracker: project name to images.\n\n"
        "  frostbench track runs/mini trackers=trackio\n"
        "  frostbench run trackers=mlflow tracker.mlflow.project=mine out=runs/mine",
    ),
    "show": Command(
        "show:show_command",
        "show RUN... [task=NAME]",
        "Print a run: methods by tasks, with ranks and standing against controls.",
        "task=NAME prints a task's whole table: every metric, interval, control, cost;\n"
        "all=true prints everything, as leaderboard.md holds it.",
    ),
    "leaderboard": Command(
        "leaderboard:leaderboard_command",
        "leaderboard RUN... [out=DIR]",
        "Write the pages (index.html), leaderboard.json, .md and .csv from one run or several.",
    ),
    "compare": Command(
        "compare:compare_command",
        "compare A B [out=FOLDER]",
        "Show how two runs differ, in what they depend on and in their results.",
        "Paired on the samples that both have, with intervals, and corrected for the number of\n"
        "comparisons; then the samples that differ most. out= writes a page with images.\n"
        "methods=v2l,vqgan:mine names methods (vqgan of A, mine of B); all=true compares every\n"
        "metric and the controls. previous=true compares a run with the one that again=true\n"
        "replaced.\n\n"
        "  frostbench compare runs/one runs/two out=compared\n"
        "  frostbench compare runs/one previous=true",
    ),
    "export": Command(
        "export:export_command",
        "export RUN... format=FORMAT [out=FOLDER]",
        "Write results in other formats: latex, eee, hf, csv, parquet.",
        "latex: a table for each suite and task, a bibliography, and a document that compiles.\n"
        "eee: Every Eval Ever; organization=NAME, relationship=first_party, third_party,\n"
        "collaborative or other. hf: .eval_results of each method for the Hugging Face Hub;\n"
        "dataset=ORG/NAME is the benchmark's repository there, source=URL a page about it.\n"
        "parquet: rows and samples; csv: rows. Values of papers are included, marked as such.\n\n"
        "  frostbench export runs/mini format=latex,parquet out=paper",
    ),
    "submit": Command(
        "submitting:submit_command",
        "submit RUN repo=FOLDER by=NAME",
        "Hand in results: write them, with the methods' answers, into a folder under git.",
        "FOLDER is a repository of results; frostbench new-results makes one. methods=NAME,NAME\n"
        "hands in some of the run's; url= is a page about them; again=true replaces earlier\n"
        "results of the same version. Paths of this machine are left out.\n\n"
        '  frostbench submit runs/mine repo=results methods=my_method by="Our lab"',
    ),
    "accept": Command(
        "submitting:accept_command",
        "accept FOLDER [base=FOLDER] [replay=1%]",
        "Check results that were handed in: every file, and every score again from the outputs.",
        "base= is an earlier state of the repository: only newer results are checked. out=FILE.md\n"
        "writes a report that compares them with the others. replay=1% computes that share of\n"
        "the samples again, if the method's weights are here; pack= data.NAME= plugins=\n"
        "metric_weights.NETWORK= say where.\n\n"
        "  frostbench accept results base=results-before out=report.md",
    ),
    "new-results": Command(
        "submitting:new_results_command",
        "new-results NAME",
        "Make a repository of results: an empty folder with the check of its pull requests.",
    ),
    "look": Command(
        "look:look_command",
        "look IMAGE [method=NAME] [KEY=VALUE ...]",
        "Show an image in a method's words, here and on a page.",
        "IMAGE is an image file, or one that the pack makes: portrait:NAME (portrait:NAME/3 is\n"
        "the fourth), scene:NUMBER, photo:NUMBER. Keys: methods pack llm out words device\n"
        "plugins, method.NAME.KEY, method.NAME.weights=FOLDER. words=N nearest words are shown\n"
        "for each token; out= writes no page.\n\n"
        "  frostbench look cat.jpg\n"
        '  frostbench look "portrait:red apple" methods=v2l,vqgan out=apple.html',
    ),
    "parity": Command(
        "parity:parity_command",
        "parity RUN",
        "Set a run of a preset beside what the papers report.",
        "Row by row: ours with its interval, the reported value, the difference, and in which\n"
        "settings and samples the two are not the same. Also written to RUN/parity.md.",
    ),
    "score": Command(
        "score:score_command",
        "score RUN [KEY=VALUE ...]",
        "Score a finished run again from what it stored; needs no method and no LLM.",
        "Metrics of a plugin file stay as they are without it: plugins=[FILE.py]. Some look\n"
        "through networks; pack=FOLDER and metric_weights.NETWORK=FILE say where those are now.",
    ),
    "verify": Command(
        "verify:verify_command",
        "verify RUN [samples=N] [seed=S] [KEY=VALUE ...]",
        "Recompute a sample of a run and say whether it holds.",
        "plugins=[FILE.py] are the plugin files that the run used, wherever they are now; it says\n"
        "whether their code is the same. pack=FOLDER, data.NAME=READER:FOLDER and\n"
        "metric_weights.NETWORK=FILE say where those are now.",
    ),
    "check": Command(
        "check:check_command",
        "check METHOD [plugins=[FILE.py]]",
        "Run the conformance kit over a method.",
        "Keys: plugins plugins.disabled most_waves most_seconds error_length.",
    ),
    "data": Command(
        "data_command:data_command",
        "data [NAME [FOLDER]]",
        "Say what a data set needs on disk, what is there, and show the first samples.",
        "NAME is a reader (without it, all are listed). KEY=VALUE are its settings, and\n"
        "plugins=[FILE.py] adds single-file plugins. Nothing is downloaded.\n\n"
        "  frostbench data captions\n"
        "  frostbench data images photos side=128",
    ),
    "convert": Command(
        "convert:convert_command",
        "convert [NAME FILE... out=FOLDER]",
        "Make a folder of weights out of files as their authors publish them.",
        "NAME is a method or a kind of backbone; without it all are listed, and without files it\n"
        "says which it wants. Files may be named (tokenizer=FILE). precision=half or byte stores\n"
        "less; what is pickled in a file is never run, and nothing is downloaded.\n\n"
        "  frostbench convert vqgan last.ckpt out=weights/vqgan\n"
        "  frostbench run methods=vqgan method.vqgan.weights=weights/vqgan",
    ),
    "pack": Command(
        "pack:pack_command",
        "pack NAME [root=FOLDER] [fetch=true]",
        "Put a pack together from published files that you hold; converts what is there.",
        "Without root= it says what the pack consists of, where its authors publish it, and under\n"
        "which licence. What is there is named in FOLDER/pack.json, and pack=NAME means that\n"
        "folder from then on. fetch=true shows what is missing and can be had, asks, and gets\n"
        "it; yes=true does not ask. What was cut short goes on.\n\n"
        "  frostbench pack paper\n"
        "  frostbench pack paper root=published",
    ),
    "import": Command(
        "importing:import_command",
        "import RESULTS.json [out=FOLDER] [KEY=VALUE ...]",
        "Read a run of lmms-eval, with its samples, as a run beside ours.",
        "frostbench leaderboard shows it as imported, and ranks it with rows of ours only where\n"
        "documents and metric are the same by digest. version=0.7.3 says which lmms-eval made it,\n"
        "where the file does not, and model=NAME calls the model so.\n\n"
        "  frostbench import logs/qwen/20261120_results.json version=0.7.3\n"
        "  frostbench leaderboard runs/mini runs/imported/qwen",
    ),
    "lmms-tasks": Command(
        "lmms_export:export_command",
        "lmms-tasks out=FOLDER [KEY=VALUE ...]",
        "Write our tasks as lmms-eval's, for its --include_path.",
        "Keys are those of run: tasks suites pack data limit seed plugins, ... A file a task and\n"
        "protocol; nothing is run. Any model of lmms-eval can be asked, and is scored by us.\n\n"
        "  frostbench lmms-tasks tasks=inpainting limit=8 out=ours\n"
        "  lmms-eval --include_path ours --tasks frostbench --model frostbench_v2l",
    ),
    "train": Command(
        "train:train_command",
        "train [PART...] [KEY=VALUE ...]",
        "Train the parts of a pack that are missing, in order; resumes.",
        "Keys: pack scratch device seed threads again plugins, recipe.PART.KEY=VALUE.\n"
        "On your own images: train vqgan data.images.folder=FOLDER out=FOLDER, validation.NAME\n"
        "workers accumulate log_every save_every, also under torchrun and accelerate launch.\n"
        "published=true begins from published sizes and schedules; dry=true counts what it\n"
        "would take, and trains nothing; peak=N are the TFLOP/s of a device.\n"
        "A new, larger pack: train preset=mini-m pack=FOLDER text=TEXT device=cuda; like=PACK is\n"
        "the pack whose pack.json it takes, manifest.KEY what is other there. dry=true counts it,\n"
        "and rehearse=true makes all its parts in three steps each.",
    ),
    "new-plugin": Command(
        "new_plugin:new_plugin_command",
        "new-plugin NAME [kind=KIND] [out=DIR]",
        "Write a small working plugin package to start from.",
        "KIND is method, metric, control, dataset or task; without it, a method.",
    ),
}
