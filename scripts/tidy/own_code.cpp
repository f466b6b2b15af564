// SPDX-License-Identifier: Apache-2.0
// A plug-in of clang-tidy 14 that keeps all checks to our own code. By itself clang-tidy walks
// through every system header that a file reaches, too, and throws away what it finds there: that
// is most of its time. Later releases leave system headers out in this very way.
//
// It is a check that finds nothing: the walk begins with the translation unit itself, and there it
// narrows the rest of it. Single-threaded, as clang-tidy is.
#include <clang-tidy/ClangTidyCheck.h>
#include <clang-tidy/ClangTidyModule.h>
#include <clang-tidy/ClangTidyModuleRegistry.h>
#include <clang/AST/ASTContext.h>
#include <clang/ASTMatchers/ASTMatchFinder.h>

#include <vector>

namespace {

class OwnCodeCheck : public clang::tidy::ClangTidyCheck {
public:
    using ClangTidyCheck::ClangTidyCheck;

    void registerMatchers(clang::ast_matchers::MatchFinder* finder) override {
        finder->addMatcher(clang::ast_matchers::translationUnitDecl().bind("all"), this);
    }

    void check(const clang::ast_matchers::MatchFinder::MatchResult& result) override {
        const auto* all = result.Nodes.getNodeAs<clang::TranslationUnitDecl>("all");
        std::vector<clang::Decl*> own;
        for (clang::Decl* each : all->decls()) {
            const clang::SourceLocation place = each->getLocation();
            if (place.isValid() && !result.SourceManager->isInSystemHeader(place))
                own.push_back(each);
        }
        result.Context->setTraversalScope(own);
    }
};

class OwnCodeModule : public clang::tidy::ClangTidyModule {
public:
    void addCheckFactories(clang::tidy::ClangTidyCheckFactories& factories) override {
        factories.registerCheck<OwnCodeCheck>("bascule-own-code");
    }
};

const clang::tidy::ClangTidyModuleRegistry::Add<OwnCodeModule> own_code("bascule", "our own code");

}  // namespace
