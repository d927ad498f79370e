package hub

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// Name is a repository of the hub at a revision.
type Name struct {
	Repo     string // owner/name
	Revision string // branch, tag, commit or refs/pr/NUMBER
}

// shortNames are repositories with safetensors on their main branch, by what they hold. timm's have OpenAI's weights.
var shortNames = map[string]string{
	"datacomp-b32-256": "laion/CLIP-ViT-B-32-256x256-DataComp-s34B-b86K",
	"openai-b16":       "timm/vit_base_patch16_clip_224.openai",
	"openai-b32":       "timm/vit_base_patch32_clip_224.openai",
	"openai-l14":       "openai/clip-vit-large-patch14",
	"openai-l14-336":   "timm/vit_large_patch14_clip_336.openai",
	"tinyclip-8m":      "wkcn/TinyCLIP-ViT-8M-16-Text-3M-YFCC15M",
}

// ShortNames lists the names that ParseName knows besides OWNER/NAME, with the repositories they stand for.
func ShortNames() (lines []string) {
	for _, name := range slices.Sorted(maps.Keys(shortNames)) {
		lines = append(lines, fmt.Sprintf("%-17s %s", name, shortNames[name]))
	}
	return lines
}

var (
	repoForm     = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*$`)
	revisionForm = regexp.MustCompile(`^[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*$`)
)

// ParseName reads OWNER/NAME or a short name, either with @REVISION or without; the default is main.
func ParseName(s string) (Name, error) {
	repo, revision, ok := strings.Cut(s, "@")
	if !ok {
		revision = "main"
	}
	if long, ok := shortNames[repo]; ok {
		repo = long
	}
	if !repoForm.MatchString(repo) {
		return Name{}, fmt.Errorf("%q is no name of a checkpoint: want OWNER/NAME, with @REVISION or without, or one of %s",
			s, strings.Join(slices.Sorted(maps.Keys(shortNames)), ", "))
	}
	if !revisionForm.MatchString(revision) || strings.Contains(revision, "..") {
		return Name{}, fmt.Errorf("%q: revision %q is no branch, tag or commit", s, revision)
	}
	return Name{repo, revision}, nil
}

func (n Name) String() string { return n.Repo + "@" + n.Revision }

// Base returns the repository's name without its owner.
func (n Name) Base() string {
	_, base, _ := strings.Cut(n.Repo, "/")
	return base
}
