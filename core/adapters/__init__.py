"""LoRA and its kin: small matrices beside the weights, injected by peft, trained in 32 bits and kept alone."""
