package lint

import (
	"fmt"

	"github.com/ftlint/ftlint/builder"
	"github.com/ftlint/ftlint/elfscan"
)

// Listings lays out what there is to show of an image: its entry code, a
// callsite in each state of its life, and its trampolines beside the model.
func Listings(im *elfscan.Image) (listings []builder.Listing, err error) {
	defer elfscan.Guard()()
	defer func() {
		if v := recover(); v != nil {
			listings, err = nil, withPath(im.Path, panicked("show", v))
		}
	}()
	listings, err = codeListings(im)
	if err != nil {
		return nil, err
	}
	for t, i := builder.BuildTrampolines(im), 0; i < len(t.Runs); i++ {
		if l, ok := t.Listing(im, &t.Runs[i]); ok && t.Runs[i].Situation == builder.Near {
			listings = append(listings, l)
		}
	}
	if len(listings) == 0 {
		return nil, fmt.Errorf("%s: era %v: there is no entry code and no callsite to show", im.Path, im.Era())
	}
	return listings, nil
}

// codeListings are those of the entry code and a callsite: with an error, as
// far as they go.
func codeListings(im *elfscan.Image) ([]builder.Listing, error) {
	listings := builder.EntryListing(im)
	sites, err := im.Sites()
	if err != nil {
		return listings, err
	}
	if sites != nil {
		for _, s := range im.SitesAs(sites.Addrs, im.Era().Shape()) {
			if !s.OK || !s.Text {
				continue
			}
			f, _ := builder.NewSiteFuncs(im)
			if f == nil {
				break
			}
			life, err := f.SiteListing(s.Entry)
			if err != nil {
				return listings, err
			}
			listings = append(listings, life...)
			break
		}
	}
	return listings, nil
}
