#!/usr/bin/env python3
"""Golden files of networks of other libraries than diffusers, without their parameters, which are drawn from names.

    python make_drawn.py FOLDER OUT        FOLDER holds make_unet.py (README.md); writes NAME.safetensors and NAME.json

The networks are those of make_unet.py, smaller and on images of 8 x 8, and besides them DhariwalUNet, written here from
the equations of Dhariwal and Nichol 2021 under the names of Karras et al. 2022. In place of gradients of parameters there
are digests. Buffers that hold a filter are left out of param_sums_f64.
"""
import json, os, sys
import torch, torch.nn.functional as F

sys.path.insert(0, sys.argv[1])
import make_unet as M


def dhariwal(p, c, i, trace=None):
    """Scale and shift by the embedding, [1,1] resampling without a convolution on the skip, attention in all blocks of a
    level and of heads of `head` channels (64 in the original), groups as SongUNet's with eps 1e-5. The one-hot label
    passes through a dense layer without bias behind the layers of the time."""
    x, base, mult, size = i["x"], c["model_channels"], c["channel_mult"], c["img_resolution"]
    emb_dim, eps, groups = base * c["channel_mult_emb"], 1e-5, lambda ch: min(32, ch // 4)
    f = M.note(trace, "features", M.sinusoid(i["t"], base))
    if c["augment_dim"]: f = f + M.linear(p, "map_augment", i["augment_labels"], base, bias=False)
    emb = M.linear(p, "map_layer1", M.silu(M.linear(p, "map_layer0", f, emb_dim)), emb_dim)
    emb = M.silu(emb + M.linear(p, "map_label", i["class_labels"], emb_dim, bias=False))

    def block(n, x, out, resample=None, attention=False):
        h = M.silu(M.norm(p, n + ".norm0", x, groups(x.shape[1]), eps))
        if resample: h, x = resample(h), resample(x)
        h = M.conv(p, n + ".conv0", h, out)
        a, b = M.linear(p, n + ".affine", emb, 2 * out)[:, :, None, None].chunk(2, 1)
        h = M.conv(p, n + ".conv1", M.silu(M.norm(p, n + ".norm1", h, groups(out), eps) * (1 + a) + b), out)
        x = h + (M.conv(p, n + ".skip", x, out, 1) if x.shape[1] != out else x)
        if attention:
            heads, plane = out // 64, x.shape[2:]
            z = M.conv(p, n + ".qkv", M.norm(p, n + ".norm2", x, groups(out), eps), 3 * out, 1)
            q, k, v = z.reshape(len(x), heads, out // heads, 3, -1).permute(3, 0, 1, 4, 2)
            x = x + M.conv(p, n + ".proj", M.attend(q, k, v).transpose(-1, -2).reshape(len(x), out, *plane), out, 1)
        return x

    skips, n = [], f"enc.{size}x{size}_"
    for level, m in enumerate(mult):
        r = size >> level
        n = f"enc.{r}x{r}_"
        x = M.conv(p, n + "conv", x, m * base) if level == 0 else block(n + "down", x, x.shape[1], M.mean2)
        skips.append(x)
        for k in range(c["num_blocks"]):
            x = block(f"{n}block{k}", x, m * base, attention=r in c["attn_resolutions"])
            skips.append(x)
    for level in reversed(range(len(mult))):
        r = size >> level
        n = f"dec.{r}x{r}_"
        if level == len(mult) - 1: x = block(n + "in1", block(n + "in0", x, x.shape[1], attention=True), x.shape[1])
        else: x = block(n + "up", x, x.shape[1], M.nearest)
        for k in range(c["num_blocks"] + 1):
            x = block(f"{n}block{k}", torch.cat([x, skips.pop()], 1), mult[level] * base, attention=r in c["attn_resolutions"])
    return M.conv(p, "out_conv", M.silu(M.norm(p, "out_norm", x, groups(x.shape[1]), eps)), c["out_channels"])


M.NETWORKS["song_dhariwal"] = dhariwal
ADM = {**M.ADM, "image_size": 8}
SONG = {**M.SONG, "img_resolution": 8, "attn_resolutions": (4,)}
DHARIWAL = dict(model_type="DhariwalUNet", img_resolution=8, in_channels=3, out_channels=3, label_dim=10, augment_dim=9, model_channels=64, channel_mult=(1, 2),
                channel_mult_emb=1, num_blocks=1, attn_resolutions=(4,))
CASES = {
    "drawn_adm_legacy": M.case("adm", {**ADM, "channel_mult": (2, 1), "num_head_channels": 4}, "", labels=(2, 9)),
    "drawn_adm_new": M.case("adm", {**ADM, "use_new_attention_order": True, "resblock_updown": False, "use_scale_shift_norm": False, "channel_mult": (1, 2),
                                    "num_head_channels": -1, "num_heads": 4}, "", labels=(0, 5)),
    "drawn_edm_ddpmpp": M.case("song", SONG, "", t=(-1.2, 0.4), labels="one-hot"),
    "drawn_edm_ncsnpp": M.case("song", {**SONG, "augment_dim": 0, "embedding_type": "fourier", "channel_mult_noise": 2, "encoder_type": "residual",
                                        "resample_filter": (1, 3, 3, 1), "channel_mult": (2, 1)}, "", t=(-0.7, 0.9), labels="one-hot"),
    "drawn_edm_dhariwal": M.case("song_dhariwal", DHARIWAL, "", t=(-0.9, 0.2), labels="one-hot"),
    "drawn_sr3": M.case("sr3", dict(image_size=8, in_channel=6, out_channel=3, inner_channel=8, norm_groups=4, channel_mults=(2, 1), attn_res=(4,), res_blocks=1), "",
                        shape=(2, 3, 8, 8), t=(0.31, 0.98)),
    "drawn_paper003": M.case("vdiff", dict(channels=2, classes=0, size=8, kernel=5), "", shape=(2, 3, 8, 8), t="log_snr", runs={}),
    "drawn_paper003_labels": M.case("vdiff", dict(channels=2, classes=10, size=8, kernel=5), "", shape=(2, 3, 8, 8), t="log_snr", labels=(6, 1)),
}
KEPT = ("x", "t", "dout", "condition", "class_labels", "augment_labels", "output_f64", "dx_f64", "dcondition_f64")


def main():
    out = sys.argv[2]
    for name, k in CASES.items():
        k["digest"] = True
        if k["kind"] == "vdiff":
            for draw in range(1000):            # no input of a ReLU within 1e-4 of zero
                k["draw"] = draw
                c = M.config_of(k)
                i = M.inputs_of(name, k, c)
                if M.smallest(lambda: M.vdiff(M.parameters_of(name, k, c, i), c, i)) > 1e-4: break
        d, meta, c, p = M.golden(name, k)
        if name == "drawn_paper003": d |= {n: v for n, v in M.paper(name, k, c, p, M.inputs_of(name, k, c), d["output_f64"]).items() if not n.startswith("add_param")}
        sums = [p[n].to(M.F64).sum() for n in sorted(p) if not n.endswith(".resample_filter")]
        kept = {n: v for n, v in d.items() if n in KEPT or n.startswith(("digest/", "add_", "loss/"))}
        kept["param_sums_f64"] = torch.stack(sums)
        path = os.path.join(out, name + ".safetensors")
        M.save(kept, path, meta)
        with open(os.path.join(out, name + ".json"), "w") as f: f.write(json.dumps({"_class_name": "song" if k["kind"].startswith("song") else k["kind"], **c}, indent=2) + "\n")
        print(name, os.path.getsize(path), meta["float32_output"], meta["float32_dx"], meta["float32_grad"], meta["zero_gradient"], k.get("draw"))


main()
