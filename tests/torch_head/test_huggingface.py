"""Models of transformers under `use_linear_loss`: their own loss and gradients, no scores, and nothing else changed."""

from __future__ import annotations

import copy
import inspect
import math
import pickle

import pytest
import torch
import torch.nn.functional as F
from torch.profiler import ProfilerActivity, profile

import lastlayer as ll
from lastlayer.torch import linear_loss
from lastlayer.torch.huggingface import use_linear_loss
from lastlayer.torch.unstoring import Unstoring

transformers = pytest.importorskip("transformers", reason="pip install transformers")

VOCABULARY, WIDTH = 97, 32
SIZES = {
    "vocab_size": VOCABULARY,
    "hidden_size": WIDTH,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
#: Class name → what its configuration has besides the sizes. Softcap, scales of both kinds, experts, a bias, tied weights.
MODELS = {
    "LlamaForCausalLM": {},
    "Qwen3ForCausalLM": {"head_dim": 8, "tie_word_embeddings": True},
    "Gemma2ForCausalLM": {"head_dim": 8, "final_logit_softcapping": 0.5},
    "CohereForCausalLM": {"logit_scale": 0.25},
    "GraniteForCausalLM": {"logits_scaling": 0.125},
    "MixtralForCausalLM": {"num_local_experts": 4, "output_router_logits": True, "router_aux_loss_coef": 0.5},
    "PhiForCausalLM": {},
    "GPT2LMHeadModel": {"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0},
}


def build(name="LlamaForCausalLM", seed=0, **changes):
    model_class = getattr(transformers, name)
    torch.manual_seed(seed)
    model = model_class(model_class.config_class(**{**SIZES, **MODELS[name], **changes}))
    with torch.no_grad():
        # Scores of a size at which softcaps and scales matter, and a bias that is not zero.
        for parameter in model.get_output_embeddings().parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return model.train()


def batch(seed=1, rows=3, length=11):
    tokens = torch.randint(3, VOCABULARY, (rows, length), generator=torch.Generator().manual_seed(seed))
    labels = tokens.clone()
    labels[0, 4:8] = -100
    labels[2] = -100
    return tokens, labels


def loss_and_gradients(model, tokens, **arguments):
    model.zero_grad()
    loss = model(tokens, **arguments).loss
    loss.backward()
    return loss.detach(), {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}


def assert_same(got, want, tolerance=2e-5):
    """Losses and every parameter's gradient, relative to the largest entry of all of that model's."""
    torch.testing.assert_close(got[0], want[0], rtol=1e-6, atol=0)
    assert got[1].keys() == want[1].keys()
    # A key's bias has no gradient but rounding: the floor is far below every other gradient.
    floor = 1e-4 * max(float(gradient.abs().max()) for gradient in want[1].values())
    for name, gradient in want[1].items():
        error = float((got[1][name] - gradient).abs().max())
        assert error <= tolerance * max(floor, float(gradient.abs().max())), name


@pytest.fixture(params=MODELS)
def model(request):
    return build(request.param)


def test_loss_and_gradients_are_the_models_own(model):
    tokens, labels = batch()
    want = loss_and_gradients(model, tokens, labels=labels)
    use_linear_loss(model)
    assert_same(loss_and_gradients(model, tokens, labels=labels), want)


def test_a_label_more_or_less_is_seen(model):
    """The comparison above can fail: one label ignored changes loss and gradients by far more than it allows."""
    tokens, labels = batch()
    want = loss_and_gradients(model, tokens, labels=labels)
    use_linear_loss(model)
    labels[1, 5] = -100
    with pytest.raises(AssertionError):
        assert_same(loss_and_gradients(model, tokens, labels=labels), want, tolerance=1e-3)


@pytest.mark.parametrize("items", [17, torch.tensor(17)], ids=["int", "tensor"])
def test_number_of_items_in_the_whole_batch(items):
    tokens, labels = batch()
    model = build()
    want = loss_and_gradients(model, tokens, labels=labels, num_items_in_batch=items)
    use_linear_loss(model)
    assert_same(loss_and_gradients(model, tokens, labels=labels, num_items_in_batch=items), want)


def test_micro_batches_add_up_to_the_batch():
    """As a Trainer accumulates gradients: micro-batches of unequal numbers of labels, one of them with none."""
    tokens, labels = batch()
    model = build()
    want = loss_and_gradients(model, tokens, labels=labels)
    use_linear_loss(model)
    items = (labels[:, 1:] != -100).sum()
    model.zero_grad()
    losses = [
        model(t, labels=y, num_items_in_batch=items).loss for t, y in zip(tokens.split(1), labels.split(1), strict=True)
    ]
    sum(losses).backward()
    got = sum(losses).detach(), {n: p.grad for n, p in model.named_parameters()}
    assert_same(got, want)


def test_labels_shifted_by_the_caller():
    tokens, labels = batch()
    model = build()
    shifted = F.pad(labels[:, 2:], (0, 2), value=-100)
    want = loss_and_gradients(model, tokens, labels=labels, shift_labels=shifted)
    use_linear_loss(model)
    assert_same(loss_and_gradients(model, tokens, labels=labels, shift_labels=shifted), want)


def test_another_ignored_label():
    tokens, labels = batch()
    labels[labels == -100] = 5
    model = build()
    want = loss_and_gradients(model, tokens, labels=labels, ignore_index=5)
    use_linear_loss(model)
    assert_same(loss_and_gradients(model, tokens, labels=labels, ignore_index=5), want)


def test_labels_by_position():
    tokens, labels = batch()
    model = build()
    place = list(inspect.signature(model.forward).parameters).index("labels")
    arguments = [tokens, *[None] * (place - 1), labels]
    want = model(*arguments).loss
    use_linear_loss(model)
    got = model(*arguments)
    assert got.logits is None
    torch.testing.assert_close(got.loss, want, rtol=1e-6, atol=0)


def test_tied_weights_stay_tied():
    model = build("Qwen3ForCausalLM")
    use_linear_loss(model)
    model(batch()[0], labels=batch()[1]).loss.backward()
    assert model.get_output_embeddings().weight is model.get_input_embeddings().weight


# Its new name, activation_checkpointing_enable, is not in every version that is served.
@pytest.mark.filterwarnings("ignore:`gradient_checkpointing_enable` is deprecated:FutureWarning")
def test_gradient_checkpointing():
    tokens, labels = batch()
    model = build()
    want = loss_and_gradients(model, tokens, labels=labels)
    model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    use_linear_loss(model)
    assert_same(loss_and_gradients(model, tokens, labels=labels, use_cache=False), want)


def test_bfloat16_by_autocast():
    tokens, labels = batch()
    model = build()
    with torch.autocast("cpu", torch.bfloat16):
        want = loss_and_gradients(model, tokens, labels=labels)
        use_linear_loss(model)
        got = loss_and_gradients(model, tokens, labels=labels)
    torch.testing.assert_close(got[0], want[0], rtol=2e-3, atol=0)
    for name, gradient in want[1].items():
        assert F.cosine_similarity(got[1][name].flatten(), gradient.flatten(), dim=0) > 0.999, name


def test_compiled_without_a_break():
    tokens, labels = batch()
    model = build("Gemma2ForCausalLM")
    use_linear_loss(model)
    want = loss_and_gradients(model, tokens, labels=labels, use_cache=False)
    compiled = torch.compile(model, backend="aot_eager", fullgraph=True)
    model.zero_grad()
    loss = compiled(tokens, labels=labels, use_cache=False).loss
    loss.backward()
    assert_same((loss.detach(), {n: p.grad for n, p in model.named_parameters()}), want)


def test_the_output_has_no_scores_and_all_else(model):
    tokens, labels = batch()
    want = model(tokens, labels=labels, output_hidden_states=True)
    use_linear_loss(model)
    got = model(tokens, labels=labels, output_hidden_states=True)
    assert got.logits is None
    assert [*got] == [key for key in want if key != "logits"]
    assert type(got) is type(want)
    torch.testing.assert_close(got.hidden_states[-1], want.hidden_states[-1], rtol=0, atol=0)


def test_a_tuple_instead_of_an_output():
    tokens, labels = batch()
    model = build()
    use_linear_loss(model)
    want = model(tokens, labels=labels)
    loss, *rest = model(tokens, labels=labels, return_dict=False)
    assert torch.equal(loss, want.loss)
    assert len(rest) == len(want.to_tuple()) - 1
    assert not any(isinstance(part, torch.Tensor) for part in rest)


def largest_allocation(function):
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as seen:
        function()
    return max(event.self_cpu_memory_usage for event in seen.events())


def test_scores_are_never_stored():
    """What is allocated at a time, custom operators included: the scores of some rows, never of all."""
    tokens = torch.arange(512).reshape(4, 128)
    model = build("LlamaForCausalLM", vocab_size=4096)
    whole = tokens.numel() * 4096 * 4
    assert largest_allocation(lambda: model(tokens, labels=tokens).loss.backward()) >= whole
    use_linear_loss(model, max_memory=whole // 8)
    assert largest_allocation(lambda: model(tokens, labels=tokens).loss.backward()) <= whole // 8


def test_without_labels_nothing_changes(model):
    tokens, _ = batch()
    model.eval()
    before = model(tokens).logits
    generated = model.generate(tokens, max_new_tokens=5, do_sample=False)
    use_linear_loss(model)
    assert torch.equal(model(tokens).logits, before)
    assert torch.equal(model.generate(tokens, max_new_tokens=5, do_sample=False), generated)
    # In between a loss is computed.
    assert model.train()(tokens, labels=tokens).logits is None
    model.eval()
    assert torch.equal(model(tokens).logits, before)


def test_removed_it_is_the_model_it_was(model):
    tokens, labels = batch()
    classes = type(model), type(model.get_output_embeddings())
    names = {**model.__dict__}.keys()
    want = loss_and_gradients(model, tokens, labels=labels)
    handle = use_linear_loss(model)
    assert model(tokens, labels=labels).logits is None
    handle.remove()
    handle.remove()
    assert (type(model), type(model.get_output_embeddings())) == classes
    assert {**model.__dict__}.keys() == names
    assert model(tokens, labels=labels).logits is not None
    assert_same(loss_and_gradients(model, tokens, labels=labels), want)


def test_for_the_length_of_a_block():
    tokens, labels = batch()
    model = build()
    with use_linear_loss(model):
        assert model(tokens, labels=labels).logits is None
    assert model(tokens, labels=labels).logits is not None


def test_an_error_in_between_leaves_no_trace():
    tokens, labels = batch()
    model = build()
    use_linear_loss(model)
    labels[1, 3] = VOCABULARY
    with pytest.raises(IndexError, match=str(VOCABULARY)):
        model(tokens, labels=labels)
    assert model(tokens).logits.shape == (*tokens.shape, VOCABULARY)


def test_parameters_and_files_are_the_same(tmp_path):
    model = build()
    use_linear_loss(model)
    state = model.state_dict()
    assert list(state) == list(build().state_dict())
    model.save_pretrained(tmp_path)
    assert model.config.architectures == ["LlamaForCausalLM"]
    loaded = transformers.LlamaForCausalLM.from_pretrained(tmp_path)
    assert all(torch.equal(loaded.state_dict()[name], value) for name, value in state.items())
    assert isinstance(model, transformers.LlamaForCausalLM)


@pytest.mark.parametrize(
    "duplicate", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))], ids=["deepcopy", "pickle"]
)
def test_a_copy_has_weights_of_its_own(duplicate):
    tokens, labels = batch()
    model = build()
    use_linear_loss(model, z_loss=0.1)
    twin = duplicate(model)
    want = model(tokens, labels=labels).loss
    with torch.no_grad():
        model.get_output_embeddings().weight.zero_()
    got = twin(tokens, labels=labels)
    assert got.logits is None
    assert torch.equal(got.loss, want)


def test_a_resized_vocabulary():
    model = build()
    use_linear_loss(model)
    model.resize_token_embeddings(VOCABULARY + 7, mean_resizing=False)
    tokens, labels = batch()
    labels[0, 2] = VOCABULARY + 6
    got = loss_and_gradients(model, tokens, labels=labels)
    use_linear_loss(model).remove()
    assert_same(got, loss_and_gradients(model, tokens, labels=labels))


def test_what_a_trainer_asks():
    """Signature, class names and labels, as transformers.Trainer reads them."""
    from transformers.utils.generic import can_return_loss, find_labels

    plain, model = build(), build()
    use_linear_loss(model)
    assert inspect.signature(model.forward) == inspect.signature(plain.forward)
    assert find_labels(type(model)) == find_labels(type(plain)) == ["labels"]
    assert can_return_loss(type(model)) == can_return_loss(type(plain))
    assert type(model).__name__ == type(plain).__name__
    assert getattr(model, "accepts_loss_kwargs", True) == getattr(plain, "accepts_loss_kwargs", True)


def scores_and_shifted(model, tokens, labels):
    with torch.no_grad():
        scores = model(tokens).logits.double()
    return scores, F.pad(labels[:, 1:], (0, 1), value=-100)


@pytest.mark.parametrize(
    "options",
    [
        {"mapping": "sparsemax"},
        {"mapping": "entmax:alpha=1.3", "temperature": 0.5},
        {"label_smoothing": 0.1, "z_loss": 1e-2},
        {"class_weight": torch.linspace(0.5, 2.0, VOCABULARY)},
    ],
    ids=str,
)
@pytest.mark.parametrize("name", ["LlamaForCausalLM", "Gemma2ForCausalLM", "GraniteForCausalLM"])
def test_options_apply_to_the_models_scores(name, options):
    tokens, labels = batch()
    model = build(name)
    scores, shifted = scores_and_shifted(model, tokens, labels)
    renamed = {("weight" if key == "class_weight" else key): value for key, value in options.items()}
    want = ll.loss(scores, shifted, **renamed)
    use_linear_loss(model, **options)
    torch.testing.assert_close(model(tokens, labels=labels).loss.double(), want, rtol=1e-5, atol=0)


def test_a_softcap_beside_the_models_scale():
    tokens, labels = batch()
    model = build("GraniteForCausalLM")
    scores, shifted = scores_and_shifted(model, tokens, labels)
    want = ll.loss(scores, shifted, softcap=3.0, temperature=2.0)
    use_linear_loss(model, softcap=3.0, temperature=2.0)
    torch.testing.assert_close(model(tokens, labels=labels).loss.double(), want, rtol=1e-5, atol=0)


def test_a_second_call_replaces_the_first():
    tokens, labels = batch()
    model = build()
    model_class = type(model)
    want = model(tokens, labels=labels).loss
    use_linear_loss(model, mapping="sparsemax")
    handle = use_linear_loss(model)
    torch.testing.assert_close(model(tokens, labels=labels).loss, want, rtol=1e-6, atol=0)
    handle.remove()
    assert type(model) is model_class


def train(model, steps=12):
    optimiser = torch.optim.AdamW(model.parameters(), lr=3e-3)
    losses = []
    for step in range(steps):
        tokens, labels = batch(seed=step % 3)
        loss = model(tokens, labels=labels).loss
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.detach())
    return torch.stack(losses)


def test_an_evaluation_has_its_logits(model):
    """With labels too, since metrics are computed of them."""
    tokens, labels = batch()
    model.eval()
    want = model(tokens, labels=labels)
    use_linear_loss(model)
    got = model(tokens, labels=labels)
    assert torch.equal(got.logits, want.logits)
    assert torch.equal(got.loss, want.loss)
    assert model.train()(tokens, labels=labels).logits is None


def test_an_evaluation_without_logits():
    tokens, labels = batch()
    model = build().eval()
    want = model(tokens, labels=labels).loss
    use_linear_loss(model, when="always")
    got = model(tokens, labels=labels)
    assert got.logits is None
    torch.testing.assert_close(got.loss, want, rtol=1e-6, atol=0)
    use_linear_loss(model)
    assert model(tokens, labels=labels).logits is not None
    with pytest.raises(ValueError, match="when is 'never'; choose 'training' or 'always'"):
        use_linear_loss(model, when="never")


@pytest.mark.parametrize("items", [0, torch.tensor(0)], ids=["int", "tensor"])
@pytest.mark.parametrize("options", [{}, {"z_loss": 0.1}, {"mapping": "sparsemax"}], ids=str)
def test_a_step_without_labels(options, items):
    """As a Trainer counts where every label is masked: transformers' loss is NaN there."""
    tokens, labels = batch()
    model = build()
    use_linear_loss(model, **options)
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.0)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    loss, gradients = loss_and_gradients(model, tokens, labels=torch.full_like(labels, -100), num_items_in_batch=items)
    optimiser.step()
    assert loss == 0
    assert gradients
    assert all(not gradient.any() for gradient in gradients.values())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_a_number_of_items_that_is_wrong_is_not_hidden():
    tokens, labels = batch()
    model = build()
    use_linear_loss(model)
    assert model(tokens, labels=labels, num_items_in_batch=0).loss == math.inf


def test_class_weights_with_and_without_a_number_of_items():
    """Σ w·l / Σ w of one batch; Σ w·l / n where a Trainer says n, so that micro-batches add up."""
    tokens, labels = batch()
    model = build()
    weight = torch.linspace(0.5, 2.0, VOCABULARY)
    scores, shifted = scores_and_shifted(model, tokens, labels)
    total, denominator = ll.loss(scores, shifted, weight=weight, reduction="parts")
    use_linear_loss(model, class_weight=weight)
    loss = model(tokens, labels=labels).loss.double()
    torch.testing.assert_close(loss, total / denominator, rtol=1e-5, atol=0)
    loss = model(tokens, labels=labels, num_items_in_batch=17).loss.double()
    torch.testing.assert_close(loss, total / 17, rtol=1e-5, atol=0)


class Wrapper(torch.nn.Module):
    """What a PeftModel has: the transformers model inside of a tuner, and forward's arguments passed on."""

    def __init__(self, model):
        super().__init__()
        self.base_model = torch.nn.ModuleDict({"model": model})
        self.config = model.config

    def get_base_model(self):
        return self.base_model["model"]

    def get_output_embeddings(self):
        return self.get_base_model().get_output_embeddings()

    def loss_function(self, *args, **kwargs):
        return self.get_base_model().loss_function(*args, **kwargs)

    def forward(self, input_ids=None, labels=None, **kwargs):
        return self.get_base_model()(input_ids=input_ids, labels=labels, **kwargs)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(
    "wrap",
    [Wrapper, torch.nn.DataParallel, lambda m: torch.nn.DataParallel(Wrapper(m))],
    ids=["adapters", "DataParallel", "both"],
)
def test_inside_of_wrappers(wrap):
    tokens, labels = batch()
    model = build()
    want = loss_and_gradients(model, tokens, labels=labels, use_cache=False)
    outer = wrap(model)
    handle = use_linear_loss(outer)
    assert outer(tokens, labels=labels, use_cache=False).logits is None
    assert_same(loss_and_gradients(model, tokens, labels=labels, use_cache=False), want)
    handle.remove()
    assert type(model) is transformers.LlamaForCausalLM
    assert outer(tokens, labels=labels, use_cache=False).logits is not None


def test_inside_of_a_compiled_model():
    tokens, labels = batch()
    model = build()
    use_linear_loss(torch.compile(model, backend="eager"))
    assert model(tokens, labels=labels).logits is None


def adapted(model, **changes):
    peft = pytest.importorskip("peft", reason="pip install peft")
    torch.manual_seed(3)
    return peft.get_peft_model(model, peft.LoraConfig(task_type="CAUSAL_LM", init_lora_weights=False, **changes))


#: On the body; on the head; with a bias; two at a time; a head that is trained whole.
ADAPTERS = {
    "body": {"target_modules": ["q_proj"]},
    "head": {"target_modules": ["q_proj", "lm_head"], "lora_alpha": 12},
    "bias": {"target_modules": ["lm_head"], "lora_bias": True},
    "saved": {"target_modules": ["q_proj"], "modules_to_save": ["lm_head"]},
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("is_first", [True, False], ids=["use, adapt", "adapt, use"])
@pytest.mark.parametrize("adapter", ADAPTERS)
def test_adapters(adapter, is_first):
    tokens, labels = batch()
    # A head with a bias, and one whose scores have a softcap.
    name = "PhiForCausalLM" if adapter == "bias" else "Gemma2ForCausalLM"
    plain = adapted(build(name), **ADAPTERS[adapter])
    want = loss_and_gradients(plain, tokens, labels=labels)
    model = build(name)
    if is_first:
        use_linear_loss(model)
    model = adapted(model, **ADAPTERS[adapter])
    if not is_first:
        use_linear_loss(model)
    assert model(input_ids=tokens, labels=labels).logits is None
    assert_same(loss_and_gradients(model, tokens, labels=labels), want)
    use_linear_loss(model).remove()
    assert model(input_ids=tokens, labels=labels).logits is not None
    assert not any(isinstance(module, Unstoring) for module in model.modules())


@pytest.mark.filterwarnings("ignore")
def test_several_adapters_and_none():
    tokens, labels = batch()
    losses = []
    for is_ours in (False, True):
        model = adapted(build(), **ADAPTERS["head"])
        model.add_adapter("second", model.peft_config["default"])
        model.base_model.set_adapter(["default", "second"])
        if is_ours:
            use_linear_loss(model)
        losses.append(loss_and_gradients(model, tokens, labels=labels))
        with model.disable_adapter():
            losses.append(model(input_ids=tokens, labels=labels).loss)
    assert losses[0][0] != losses[1]
    assert_same(losses[2], losses[0])
    torch.testing.assert_close(losses[3], losses[1], rtol=1e-6, atol=0)


@pytest.mark.filterwarnings("ignore")
def test_an_adapter_of_a_half_typed_head():
    """Plain peft rounds the sum of both scores to bfloat16; here the adapter's factors are rounded to it."""
    tokens, labels = batch()
    plain, model = (adapted(build().bfloat16(), **ADAPTERS["head"]) for _ in range(2))
    exact = adapted(build().bfloat16(), **ADAPTERS["head"]).double()
    want, theirs = (float(m(input_ids=tokens, labels=labels).loss) for m in (exact, plain))
    use_linear_loss(model, scores_dtype=torch.float32)
    assert model.lm_head.lora_A["default"].weight.dtype == torch.float32
    got = float(model(input_ids=tokens, labels=labels).loss)
    assert abs(got - want) < max(2e-2 * want, 2 * abs(theirs - want))


@pytest.mark.filterwarnings("ignore")
def test_adapters_that_scale_classes_are_refused():
    what = r"it is a peft\.tuners\.lora\.layer\.Linear: .*DoRA, IA3"
    with pytest.raises(TypeError, match=what):
        use_linear_loss(adapted(build(), target_modules=["lm_head"], use_dora=True))
    model = build()
    use_linear_loss(model)
    model = adapted(model, target_modules=["lm_head"], use_dora=True)
    with pytest.raises(TypeError, match="not stored"):
        model(input_ids=batch()[0], labels=batch()[1])
    assert model.eval()(input_ids=batch()[0], labels=batch()[1]).logits is not None


@pytest.mark.parametrize("is_first", [True, False], ids=["use, offload", "offload, use"])
def test_weights_that_are_loaded_for_each_forward(is_first):
    accelerate = pytest.importorskip("accelerate", reason="pip install accelerate")
    tokens, labels = batch()
    want, model = build().eval()(tokens, labels=labels).loss, build().eval()
    if is_first:
        use_linear_loss(model, when="always")
    accelerate.cpu_offload(model, execution_device=torch.device("cpu"))
    if not is_first:
        handle = use_linear_loss(model, when="always")
    assert model.lm_head.weight.is_meta
    got = model(tokens, labels=labels)
    assert got.logits is None
    torch.testing.assert_close(got.loss, want, rtol=1e-6, atol=0)
    if not is_first:
        handle.remove()
        assert model(tokens, labels=labels).logits is not None


def test_hooks_of_the_head_run_once_per_loss():
    """They see its input as a tensor, and its result is the loss; without a loss, the scores."""
    tokens, labels = batch()
    model, seen = build(), []
    use_linear_loss(model)
    model.lm_head.register_forward_hook(lambda head, args, output: seen.append((type(args[0]), output.shape)))
    loss = model(tokens, labels=labels).loss
    assert seen == [(torch.Tensor, loss.shape)]
    model(tokens)
    assert seen[1:] == [(torch.Tensor, (*tokens.shape, VOCABULARY))]


@pytest.mark.parametrize("name", ["LlamaForCausalLM", "Gemma2ForCausalLM"])
def test_training_takes_the_same_course(name):
    want, model = train(build(name)), build(name)
    use_linear_loss(model, max_memory=4096)
    got = train(model)
    assert want[-1] < want[0] - 0.2
    torch.testing.assert_close(got, want, rtol=1e-4, atol=0)


def test_a_softcap_where_the_model_has_one():
    with pytest.raises(ValueError, match=r"softcap, 0\.5, already"):
        use_linear_loss(build("Gemma2ForCausalLM"), softcap=3.0)


def test_models_that_cannot_be_served():
    with pytest.raises(TypeError, match="get_output_embeddings"):
        use_linear_loss(transformers.LlamaModel(build().config))
    with pytest.raises(TypeError, match="get_output_embeddings"):
        use_linear_loss(torch.nn.Linear(2, 2))
    model = build()
    model.loss_function = lambda logits, labels, **_: logits.sum()
    with pytest.raises(TypeError, match="the loss of LlamaForCausalLM is <lambda>"):
        use_linear_loss(model)
    masked = transformers.BertForMaskedLM(transformers.BertConfig(**{**SIZES, "num_key_value_heads": None}))
    with pytest.raises(TypeError, match="the loss of BertForMaskedLM is ForMaskedLMLoss"):
        use_linear_loss(masked)


def head_with(forward):
    """A model whose head has a forward of its own."""
    model = build()
    model.set_output_embeddings(type("Other", (torch.nn.Linear,), {"forward": forward})(WIDTH, VOCABULARY))
    return model


def test_a_head_of_another_class():
    tokens, labels = batch()
    model = head_with(lambda self, x: 0.5 * F.linear(2 * x, self.weight) + F.linear(x.float(), self.weight, self.bias))
    want = loss_and_gradients(model, tokens, labels=labels)
    use_linear_loss(model)
    assert model(tokens, labels=labels).logits is None
    assert_same(loss_and_gradients(model, tokens, labels=labels), want)


def test_heads_that_cannot_be_served():
    for forward, reason in (
        (lambda self, x: x @ self.weight.T, "returns a UnstoredInput that torch.nn.functional.linear did not compute"),
        (lambda self, x: F.linear(x, self.weight).softmax(-1), "softmax: the scores of this head are not stored"),
        (
            lambda self, x: F.linear(x, self.weight.detach().char()),
            "its weight is a Tensor of torch.int8, which is quantised",
        ),
    ):
        model = head_with(forward)
        with pytest.raises(TypeError, match=rf"it is a \S+\.Other: .*{reason}"):
            use_linear_loss(model)
        assert type(model) is transformers.LlamaForCausalLM
    model = build()
    model.forward = model.forward
    with pytest.raises(TypeError, match=r"has been replaced .* call use_linear_loss first"):
        use_linear_loss(model)


#: Models whose loss is not of scaled and softcapped scores, and what their configurations are made of.
OTHERS = {
    "T5ForConditionalGeneration": {"d_model": 16, "d_kv": 8, "d_ff": 16, "num_layers": 1, "num_heads": 2},
    "BartForCausalLM": {"d_model": 16, "decoder_ffn_dim": 16, "decoder_layers": 1, "decoder_attention_heads": 2},
    "BartForConditionalGeneration": {"d_model": 16, "decoder_layers": 1, "encoder_layers": 1},
    "BlipTextLMHeadModel": {"hidden_size": 24, "intermediate_size": 24, "num_hidden_layers": 1, "is_decoder": True},
}


@pytest.mark.parametrize("name", OTHERS)
def test_a_model_that_does_more_with_its_scores_is_refused_at_once(name):
    model_class = getattr(transformers, name)
    config = model_class.config_class(vocab_size=VOCABULARY, decoder_start_token_id=0, **OTHERS[name])
    model = model_class(config)
    state, generator = {**model.__dict__}, torch.get_rng_state()
    head_class = type(model.get_output_embeddings())
    with pytest.raises(TypeError, match=f"{name} cannot be served|the loss of {name} is"):
        use_linear_loss(model)
    # Nothing is left behind, and no random number was drawn.
    assert type(model) is model_class
    assert type(model.get_output_embeddings()) is head_class
    assert model.__dict__ == state
    assert torch.equal(torch.get_rng_state(), generator)


class Penalised(transformers.LlamaForCausalLM):
    """Adds a term of its scores to the loss, which is seen in a trial."""

    def forward(self, input_ids=None, labels=None, **kwargs):
        output = super().forward(input_ids=input_ids, labels=labels, **kwargs)
        output.loss = output.loss + output.logits.logsumexp(-1).mean()
        return output


class Branching(transformers.LlamaForCausalLM):
    """Looks at a token, so that no trial without values is possible."""

    def forward(self, input_ids=None, labels=None, **kwargs):
        assert input_ids[0, 0] >= 0
        output = super().forward(input_ids=input_ids, labels=labels, **kwargs)
        if labels is not None:
            output.loss = output.loss + output.logits.logsumexp(-1).mean()
        return output


class Elsewhere(transformers.LlamaForCausalLM):
    """Does not give its scores to its loss function."""

    def forward(self, input_ids=None, labels=None, **kwargs):
        return super().forward(input_ids=input_ids, **kwargs)


def test_what_a_trial_tells():
    tokens, labels = batch()
    with pytest.raises(
        TypeError, match="Penalised cannot be served: logsumexp: the scores of this head are not stored"
    ):
        use_linear_loss(Penalised(build().config))
    with pytest.raises(TypeError, match="Elsewhere cannot be served: its forward does not give the scores"):
        use_linear_loss(Elsewhere(build().config))
    model = Branching(build().config).train()
    use_linear_loss(model)
    with pytest.raises(TypeError, match="logsumexp: the scores of this head are not stored"):
        model(tokens, labels=labels)
    assert model(tokens).logits.shape == (*tokens.shape, VOCABULARY)


@pytest.mark.parametrize(
    "options", [{"z_loss": -1.0}, {"temperature": 0.0}, {"max_memory": 0}, {"class_weight": torch.ones(3)}]
)
def test_options_that_are_refused_at_once(options):
    model = build()
    with pytest.raises(ValueError):
        use_linear_loss(model, **options)
    assert model(batch()[0], labels=batch()[1]).logits is not None


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_nothing_is_computed_but_the_loss(dtype):
    """The loss is `linear_loss` of the base model's hidden states, bit for bit."""
    tokens, labels = batch()
    model = build().to(dtype)
    hidden = model.model(tokens).last_hidden_state
    want = linear_loss(hidden, model.lm_head.weight, F.pad(labels[:, 1:], (0, 1), value=-100))
    use_linear_loss(model)
    assert torch.equal(model(tokens, labels=labels).loss, want)
